"""Expiry is the reader's comparison: at one moment every answer says so, and no beat or renewal has to come first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from services.gateway.tests.api_stand import ApiStand
from tests.harness.waiting import until

from gateway.read_model.verification_status import status_at

pytestmark = pytest.mark.integration


async def test_a_success_of_two_seconds_expires_everywhere_at_once(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    live = (await client.post("/connections", json=tcp_draft(name="live"))).json()
    idle = (await client.post("/connections", json=tcp_draft(name="idle"))).json()
    for each in (live, idle):
        await stand.end_verification(each["verification"]["id"], valid="2 seconds")
    assert (await client.post(f"/connections/{live['id']}/activate")).status_code == 200
    assert await names(client, "verified") == ["idle", "live"]

    async def expired() -> bool:
        return await names(client, "expired") == ["idle", "live"]

    await until(expired, within=10)
    assert await names(client, "verified") == []
    for each in (live, idle):
        shown = (await client.get(f"/connections/{each['id']}")).json()
        assert shown["verification"]["status"] == "expired"
        one = await client.get(f"/connections/{each['id']}/verifications/{shown['verification']['id']}")
        assert one.json()["status"] == "expired"
    refused = await client.post(f"/connections/{idle['id']}/activate")
    assert (refused.status_code, refused.json()["code"]) == (409, "CONNECTION_NOT_VERIFIED")
    assert (await client.get(f"/connections/{live['id']}")).json()["lifecycle"] == "active", "and it beats on"


async def names(client: Any, verification: str) -> list[str]:
    items = (await client.get("/connections", params={"verification": verification})).json()["items"]
    return sorted(item["name"] for item in items)


async def test_a_running_or_failed_renewal_is_shown_and_hides_no_proof(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    assert body["verified_until"] is None
    await stand.end_verification(body["verification"]["id"])
    activated = (await client.post(f"{url}/activate")).json()
    holds = activated["verified_until"]
    assert holds == activated["verification"]["expires_at"]
    renewal = (await client.post(f"{url}/verify")).json()["verification_id"]
    for status in ("pending", "failed"):
        shown = (await client.get(url)).json()
        assert (shown["verification"]["status"], shown["verified_until"]) == (status, holds)
        assert (shown["lifecycle"], shown["last_verified_at"]) == ("active", activated["last_verified_at"])
        if status == "pending":
            await stand.end_verification(renewal, "failed")
    staged = {"config": {"host": "db.example.com", "port": 6000}}
    edited = (await client.put(url, json=staged, headers={"if-match": "*"})).json()
    assert (edited["verified_until"], edited["live"]["verified_until"]) == (None, holds)
    assert edited["live"]["verification"]["status"] == "failed"


async def test_python_and_sql_compare_alike(stand: ApiStand) -> None:
    owner: asyncpg.Connection = stand.owner
    now = datetime.now(UTC)
    for outcome in ("pending", "verified", "failed", "cancelled"):
        for expires_at in (None, now - timedelta(microseconds=1), now, now + timedelta(microseconds=1)):
            told = await owner.fetchval("select verification_status($1, $2, $3)", outcome, expires_at, now)
            assert told == status_at(outcome, expires_at, now), (outcome, expires_at)
