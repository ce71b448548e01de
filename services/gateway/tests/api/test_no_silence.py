"""No request ends in silence: what becomes of a pending verification when its connection changes, or on a cancel."""

from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration
OTHER = {"config": {"host": "db.example.com", "port": 6000}}


async def cancelled(stand: ApiStand, connection_id: str) -> list[str]:
    """The verifications that the verifier was asked to end."""
    told = await stand.events(connection_id)
    return [body["verification_id"] for name, body, _ in told if name == "verification_cancel_requested"]


async def edited(client: Any, connection_id: str) -> dict[str, Any]:
    answer = await client.put(f"/connections/{connection_id}", json=OTHER, headers={"if-match": "*"})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_edit_ends_the_verification_of_what_it_replaces(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    after = await edited(client, body["id"])
    assert await cancelled(stand, body["id"]) == [body["verification"]["id"]]
    assert (after["verification"]["revision"], after["verification"]["status"]) == (2, "pending")
    await stand.end_verification(body["verification"]["id"], "cancelled")
    history = (await client.get(f"/connections/{body['id']}/verifications")).json()["items"]
    assert [(each["revision"], each["status"]) for each in history] == [(2, "pending"), (1, "cancelled")]


async def test_an_edit_beside_a_live_revision_leaves_that_ones_verification(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    await stand.end_verification(body["verification"]["id"])
    await client.post(f"/connections/{body['id']}/activate")
    renewal = (await client.post(f"/connections/{body['id']}/verify")).json()["verification_id"]
    after = await edited(client, body["id"])
    assert await cancelled(stand, body["id"]) == []
    assert (after["live"]["verification"]["id"], after["live"]["verification"]["status"]) == (renewal, "pending")


async def test_a_setting_ends_nothing(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    await client.put(f"/connections/{body['id']}", json={"owner": "others"}, headers={"if-match": "*"})
    assert await cancelled(stand, body["id"]) == []


@pytest.mark.parametrize("end", ["retire", "discard"])
async def test_what_ends_a_revision_ends_its_verification(stand: ApiStand, tcp_draft: Any, end: str) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    await stand.end_verification(body["verification"]["id"])
    await client.post(f"{url}/activate")
    staged = (await edited(client, body["id"]))["verification"]["id"]
    answer = await client.delete(url if end == "retire" else f"{url}/staged", headers={"if-match": "*"})
    assert answer.is_success
    assert await cancelled(stand, body["id"]) == [staged]
    await stand.end_verification(staged, "cancelled")
    assert (await client.get(f"{url}/verifications/{staged}")).json()["failure"]["code"]


async def test_anyone_who_may_edit_ends_a_running_verification(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}/verifications/{body['verification']['id']}"
    assert (await (await stand.client_of("viewer")).delete(url)).status_code == 403
    assert (await (await stand.client_of("operator", ("production",))).delete(url)).status_code == 404
    another = (await client.post("/connections", json=tcp_draft(name="another"))).json()
    foreign = f"/connections/{another['id']}/verifications/{body['verification']['id']}"
    assert (await client.delete(foreign)).json()["code"] == "VERIFICATION_NOT_FOUND"
    answer = await client.delete(url)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert await cancelled(stand, body["id"]) == [body["verification"]["id"]]
    assert (await client.get(f"/connections/{body['id']}/history")).json()["items"][0]["action"] == (
        "connection.verification_cancelled"
    )
    await stand.end_verification(body["verification"]["id"])
    assert (await client.delete(url)).json()["status"] == "verified", "what has ended stays as it ended"
    assert len(await cancelled(stand, body["id"])) == 1
