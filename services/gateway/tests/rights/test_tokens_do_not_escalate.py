"""Nobody makes themselves more than they are: wider, higher or longer-lived; and nobody locks all out unawares."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration


@pytest.fixture
async def stand(rights_stand: ApiStand) -> AsyncIterator[ApiStand]:
    await rights_stand.owner.execute("delete from tokens")
    yield rights_stand
    for client in rights_stand.clients:
        await client.aclose()
    rights_stand.clients.clear()


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_who_is_no_admin_makes_and_ends_no_token(stand: ApiStand, role: str) -> None:
    client, victim = await stand.client_of(role), await stand.client_of("admin")
    own = (await client.get("/session")).json()["id"]
    other = (await victim.get("/session")).json()["id"]
    for made in ("viewer", "operator", "admin"):
        assert (await client.post("/tokens", json={"name": "x", "role": made})).status_code == 403
    for token_id in (own, other):
        assert (await client.delete(f"/tokens/{token_id}")).status_code == 403
    assert (await client.get("/session")).json()["role"] == role


async def test_an_admin_of_one_environment_stays_in_it(stand: ApiStand) -> None:
    client = await stand.client_of("admin", ("development",))
    for environments in (["production"], ["development", "production"], ["development", "staging", "production"]):
        refused = await client.post("/tokens", json={"name": "x", "role": "viewer", "environments": environments})
        assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")
    made = (await client.post("/tokens", json={"name": "x", "role": "admin"})).json()
    child = stand.client_with({"authorization": f"Bearer {made['token']}"})
    wider = await child.post("/tokens", json={"name": "y", "role": "admin", "environments": ["staging"]})
    assert wider.status_code == 403
    assert (await child.get("/session")).json()["environments"] == ["development"]


async def test_a_token_that_ends_hands_out_none_that_ends_later(stand: ApiStand) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    client = await stand.client_of("admin", expires_at=end)
    later = await client.post(
        "/tokens", json={"name": "x", "role": "admin", "expires_at": (end + timedelta(seconds=1)).isoformat()}
    )
    assert (later.status_code, later.json()["errors"][0]["pointer"]) == (422, "/expires_at")
    sooner = (end - timedelta(minutes=1)).isoformat()
    assert (await client.post("/tokens", json={"name": "x", "role": "admin", "expires_at": sooner})).status_code == 201
    unsaid = (await client.post("/tokens", json={"name": "y", "role": "admin"})).json()
    assert datetime.fromisoformat(unsaid["expires_at"]) == end
    child = stand.client_with({"authorization": f"Bearer {unsaid['token']}"})
    grandchild = (await child.post("/tokens", json={"name": "z", "role": "viewer"})).json()
    assert datetime.fromisoformat(grandchild["expires_at"]) == end


async def test_the_states_of_tokens_are_told_apart(stand: ApiStand) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    admin = await stand.client_of("admin")
    await stand.client_of("viewer", expires_at=past)
    await stand.client_of("operator", revoked_at=past, expires_at=past)
    listed = {each["role"]: each["state"] for each in (await admin.get("/tokens")).json()["items"]}
    assert listed == {"admin": "valid", "viewer": "expired", "operator": "revoked"}


async def test_the_last_admin_is_not_revoked_unawares(stand: ApiStand) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    admin = await stand.client_of("admin")
    own = (await admin.get("/session")).json()["id"]
    await stand.client_of("admin", revoked_at=past)
    await stand.client_of("admin", expires_at=past)
    await stand.client_of("operator")
    await stand.client_of("admin", ("development",))
    refused = await admin.delete(f"/tokens/{own}")
    assert (refused.status_code, refused.json()["code"]) == (409, "LAST_ADMIN")
    assert "production, staging" in refused.json()["user_message"]
    await stand.client_of("admin", ("production", "staging"))
    assert (await admin.delete(f"/tokens/{own}")).status_code == 204


async def test_the_last_admin_may_go_when_that_is_said(stand: ApiStand) -> None:
    admin = await stand.client_of("admin")
    own = (await admin.get("/session")).json()["id"]
    assert (await admin.delete(f"/tokens/{own}", params={"last_too": "true"})).status_code == 204
    assert (await admin.get("/session")).json()["code"] == "TOKEN_REVOKED"


async def test_two_admins_do_not_revoke_each_other_at_once(stand: ApiStand) -> None:
    for _ in range(5):
        await stand.owner.execute("delete from tokens")
        one, other = await stand.client_of("admin"), await stand.client_of("admin")
        ids = [(await each.get("/session")).json()["id"] for each in (one, other)]
        answers = await asyncio.gather(one.delete(f"/tokens/{ids[1]}"), other.delete(f"/tokens/{ids[0]}"))
        left: Any = await stand.owner.fetchval("select count(*) from tokens where revoked_at is null")
        assert left >= 1, [answer.status_code for answer in answers]
