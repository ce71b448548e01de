"""Create, verify, activate, edit, discard, deactivate, retire: through HTTP, on a real PostgreSQL."""

import asyncio
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand
from tests.harness.waiting import until

pytestmark = pytest.mark.integration


async def test_create_queues_the_first_verification_in_the_same_transaction(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    answer = await client.post("/connections", json=tcp_draft(), headers={"x-correlation-id": "corr-12345678"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert answer.headers["location"] == f"/api/v1/connections/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["x-correlation-id"] == "corr-12345678"
    assert body["lifecycle"] == "inactive"
    assert body["revision"] == 1
    assert body["live_revision"] is None
    assert body["verification"]["status"] == "pending"
    assert body["verification"]["why"] == "created"
    assert "live" not in body

    (configured, state, headers), (requested, request, request_headers) = await stand.events(body["id"])
    assert (configured, requested) == ("configured", "verification_requested")
    assert state["newest"]["config"] == {"host": "db.example.com", "port": 5432}
    assert headers["ce_sequence"] == "1"
    assert headers["ce_correlationid"] == request_headers["ce_correlationid"] == "corr-12345678"
    assert request["verification_id"] == body["verification"]["id"]


async def test_only_what_was_proven_goes_live(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"

    refused = await client.post(f"{url}/activate")
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "CONNECTION_NOT_VERIFIED"

    await stand.end_verification(body["verification"]["id"])
    active = await client.post(f"{url}/activate")
    assert active.status_code == 200, active.text
    assert active.json()["lifecycle"] == "active"
    assert active.json()["live_revision"] == 1
    assert active.headers["etag"] == '"2"'
    again = await client.post(f"{url}/activate", json={})
    assert again.headers["etag"] == '"2"'
    assert [name for name, *_ in await stand.events(body["id"])] == [
        "configured",
        "verification_requested",
        "activated",
    ]


async def test_an_edit_of_what_is_live_is_staged_beside_it(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = await active_connection(stand, client, tcp_draft())
    url = f"/connections/{body['id']}"

    edited = await client.put(
        url, json={"config": {"host": "db.example.com", "port": 6000}}, headers={"if-match": '"2"'}
    )
    assert edited.status_code == 200, edited.text
    shown = edited.json()
    assert (shown["revision"], shown["live_revision"], shown["staged_revision"]) == (2, 1, 2)
    assert shown["lifecycle"] == "active"
    assert shown["config"]["port"] == 6000
    assert shown["live"]["config"]["port"] == 5432
    assert shown["live"]["verification"]["status"] == "verified"
    assert shown["verification"]["status"] == "pending"

    refused = await client.post(f"{url}/activate")
    assert refused.json()["code"] == "CONNECTION_NOT_VERIFIED"
    discarded = await client.delete(f"{url}/staged")
    assert discarded.status_code == 200
    assert (discarded.json()["revision"], discarded.json()["staged_revision"]) == (1, None)
    assert (await client.delete(f"{url}/staged")).json()["code"] == "NOTHING_STAGED"

    anew = await client.put(url, json={"config": {"host": "db.example.com", "port": 7000}}, headers={"if-match": "*"})
    assert anew.json()["revision"] == 3, "the number of a discarded revision is never given again"
    await stand.end_verification(anew.json()["verification"]["id"])
    assert (await client.post(f"{url}/activate")).json()["live_revision"] == 3
    back = await client.post(f"{url}/activate", json={"revision": 1})
    assert (back.json()["live_revision"], back.json()["staged_revision"]) == (1, 3)


async def test_settings_hold_at_once_and_make_no_revision(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = await active_connection(stand, client, tcp_draft())
    url = f"/connections/{body['id']}"
    edited = await client.put(url, json={"name": "depot", "owner": None}, headers={"if-match": '"2"'})
    assert (edited.json()["name"], edited.json()["owner"], edited.json()["revision"]) == ("depot", None, 1)
    assert edited.headers["etag"] == '"3"'
    same = await client.put(url, json={"name": "depot"}, headers={"if-match": '"3"'})
    assert same.headers["etag"] == '"3"', "an edit that changes nothing changes nothing"
    assert [name for name, *_ in await stand.events(body["id"])][-1] == "configured"


async def test_deactivate_then_retire(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = await active_connection(stand, client, tcp_draft())
    url = f"/connections/{body['id']}"
    out = (await client.post(f"{url}/deactivate")).json()
    assert (out["lifecycle"], out["live_revision"], out["last_live_revision"]) == ("inactive", None, 1)
    assert (await client.post(f"{url}/deactivate")).json()["version"] == out["version"]

    retired = await client.delete(url, headers={"if-match": f'"{out["version"]}"'})
    assert retired.status_code == 202
    assert retired.json()["lifecycle"] == "retired"
    name, state, _ = (await stand.events(body["id"]))[-1]
    assert name == "retired"
    assert "config" not in str(state)
    assert (await client.post(f"{url}/verify")).json()["code"] == "CONNECTION_RETIRED"
    assert (await client.post("/connections", json=tcp_draft())).status_code == 201, "its name is free again"
    assert len((await client.get("/connections")).json()["items"]) == 1
    assert len((await client.get("/connections", params={"lifecycle": "retired"})).json()["items"]) == 1


async def test_what_nobody_waits_for_is_cancelled(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = await active_connection(stand, client, tcp_draft())
    url = f"/connections/{body['id']}"
    edit = {"config": {"host": "db.example.com", "port": 6000}}
    staged = (await client.put(url, json=edit, headers={"if-match": "*"})).json()["verification"]["id"]
    await client.delete(f"{url}/staged")
    again = (await client.put(url, json=edit, headers={"if-match": "*"})).json()["verification"]["id"]
    manual = (await client.post(f"{url}/verify", json={"revision": 1})).json()["verification_id"]
    await client.delete(url, headers={"if-match": "*"})
    cancels = [
        (headers["ce_id"], request["verification_id"])
        for name, request, headers in await stand.events(body["id"])
        if name == "verification_cancel_requested"
    ]
    # The first one's row ends when the verifier has answered: until then editing and retiring ask for it once more.
    assert [each for _, each in cancels] == [staged, staged, staged, again, manual]
    assert len({each for each, _ in cancels}) == 5, "every event has an id of its own"


async def test_verify_by_hand_answers_with_what_is_pending(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    pending = await client.post(f"{url}/verify")
    assert pending.status_code == 202
    assert pending.json()["verification_id"] == body["verification"]["id"]
    assert pending.json()["correlation_id"] == body["verification"]["correlation_id"]
    await stand.end_verification(body["verification"]["id"], "failed")
    fresh = (await client.post(f"{url}/verify", json={"revision": 1})).json()
    assert fresh["verification_id"] != body["verification"]["id"]
    listed = (await client.get(f"{url}/verifications")).json()["items"]
    assert [each["status"] for each in listed] == ["pending", "failed"]
    assert (await client.post(f"{url}/verify", json={"revision": 9})).json()["code"] == "REVISION_NOT_FOUND"


async def test_prefer_wait_answers_with_the_end(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    in_vain = await client.post(f"{url}/verify", headers={"prefer": "wait=1"})
    assert in_vain.status_code == 202
    assert in_vain.headers["preference-applied"] == "wait=1"
    assert "verification" not in in_vain.json()
    waiting = asyncio.create_task(client.post(f"{url}/verify", headers={"prefer": "respond-async, wait=20"}))

    async def ended() -> bool:
        for row in await stand.owner.fetch("select id from verifications where outcome = 'pending'"):
            await stand.end_verification(str(row["id"]), "failed")
        return waiting.done()

    await until(ended, within=15)
    answer = waiting.result().json()
    assert answer["verification"]["id"] == answer["verification_id"]
    assert answer["verification"]["status"] == "failed"


async def test_an_expired_or_outdone_success_does_not_activate(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    await stand.end_verification(body["verification"]["id"], valid="-1 second")
    assert (await client.get(url)).json()["verification"]["status"] == "expired"
    assert len((await client.get("/connections", params={"verification": "expired"})).json()["items"]) == 1
    assert (await client.post(f"{url}/activate")).json()["code"] == "CONNECTION_NOT_VERIFIED"
    good = (await client.post(f"{url}/verify")).json()["verification_id"]
    await stand.end_verification(good)
    bad = (await client.post(f"{url}/verify")).json()["verification_id"]
    await stand.end_verification(bad, "failed")
    assert (await client.post(f"{url}/activate")).json()["code"] == "CONNECTION_NOT_VERIFIED"


async def test_history_says_who_did_what(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = await active_connection(stand, client, tcp_draft())
    url = f"/connections/{body['id']}"
    await client.put(url, json={"owner": "web"}, headers={"if-match": "*"})
    items = (await client.get(f"{url}/history")).json()["items"]
    assert [each["action"] for each in items] == ["connection.edited", "connection.activated", "connection.created"]
    assert (items[0]["before"], items[0]["after"]) == ({"owner": "data-team"}, {"owner": "web"})
    assert items[0]["principal"].startswith("operator-token#")
    first = (await client.get(f"{url}/history", params={"limit": 2})).json()
    second = (await client.get(f"{url}/history", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + second["items"]] == [each["id"] for each in items]
    assert second["next_cursor"] is None


async def active_connection(stand: ApiStand, client: Any, draft: dict[str, object]) -> dict[str, Any]:
    created = await client.post("/connections", json=draft)
    assert created.status_code == 201, created.text
    body = created.json()
    await stand.end_verification(body["verification"]["id"])
    active = await client.post(f"/connections/{body['id']}/activate")
    assert active.status_code == 200, active.text
    shown: dict[str, Any] = active.json()
    return shown
