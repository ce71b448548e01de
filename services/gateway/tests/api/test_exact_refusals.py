"""Refusals that lead to the mend: what is wrong is named where it is, in words that hold."""

from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration


async def test_the_audit_finds_what_a_reference_caused(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    for number in range(2):
        await client.post(
            "/connections", json=tcp_draft(name=f"c{number}"), headers={"x-correlation-id": f"followed-{number}"}
        )
    found = await client.get("/audit", params={"correlation_id": "followed-1"})
    assert found.status_code == 200, found.text
    assert [each["after"]["name"] for each in found.json()["items"]] == ["c1"]
    assert (await client.get("/audit", params={"correlation_id": "followed-2"})).json()["items"] == []


async def test_an_unknown_kind_is_named_as_that(stand: ApiStand) -> None:
    client = await stand.client_of("viewer")
    for kind in ("teapot", "t" * 64):
        answer = await client.get(f"/connection-kinds/{kind}")
        assert (answer.status_code, answer.json()["code"]) == (404, "KIND_UNKNOWN")


async def test_a_revision_that_was_replaced_is_not_said_to_be_missing(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    for port in (1, 2):
        edit = {"config": {"host": "db.example.com", "port": port}}
        assert (await client.put(url, json=edit, headers={"if-match": "*"})).status_code == 200
    refused = (await client.post(f"{url}/activate", json={"revision": 2})).json()
    assert refused["code"] == "REVISION_NOT_FOUND"
    assert "replaced" in refused["user_message"], "its history lists it"


@pytest.mark.parametrize("number", [-1, 0, 10**20])
@pytest.mark.parametrize("command", ["activate", "verify"])
async def test_a_number_that_no_revision_can_have_is_out_of_range(
    stand: ApiStand, tcp_draft: Any, command: str, number: int
) -> None:
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    answer = await client.post(f"{url}/{command}", json={"revision": number})
    assert answer.status_code == 422, answer.text
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/revision", "FIELD_RANGE")]


async def test_what_has_no_meaning_is_not_taken_silently(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    for answer, pointer, code in (
        (await client.post(f"{url}/deactivate", json={"x": 1}), "/x", "FIELD_UNKNOWN"),
        (await client.get("/connections?limit=1&limit=2"), "/query/limit", "FIELD_FORMAT"),
        (await client.get(f"{url}/history?limit=1&limit=1"), "/query/limit", "FIELD_FORMAT"),
    ):
        assert answer.status_code == 422, answer.text
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]
    assert (await client.post(f"{url}/deactivate")).status_code == 200
    assert (await client.post(f"{url}/deactivate", json={})).status_code == 200


async def test_a_missing_body_is_said_to_be_missing(stand: ApiStand) -> None:
    answer = await (await stand.client_of("operator")).post("/connections")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "", "FIELD_REQUIRED")
    assert "body" in error["detail"]


@pytest.mark.parametrize(
    "wrong", ["tomorrow", "2026-13-01T00:00:00Z", "1026-01-01T00:00:00Z", 5, "2026-01-31T12:00:00"]
)
async def test_a_wrong_time_is_shown_a_right_one(stand: ApiStand, wrong: Any) -> None:
    token = {"name": "t", "role": "viewer", "expires_at": wrong}
    answer = await (await stand.client_of("admin")).post("/tokens", json=token)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "/expires_at")
    assert "2026-01-31T12:00:00Z" in error["detail"]


async def test_who_may_not_edit_is_not_asked_for_a_version(stand: ApiStand, tcp_draft: Any) -> None:
    made = await (await stand.client_of("operator")).post("/connections", json=tcp_draft())
    viewer = await stand.client_of("viewer")
    for method in ("PUT", "DELETE"):
        answer = await viewer.request(method, f"/connections/{made.json()['id']}", json={"name": "b"})
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_ALLOWED")
