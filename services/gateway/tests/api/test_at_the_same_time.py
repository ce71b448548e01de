"""Many at once: the row's lock and the indexes decide, and the outbox keeps the order of each connection."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand
from services.gateway.tests.migrated import MigratedDatabase

from gateway.read_model.pools import open_pool
from gateway.renewals import Renewals

pytestmark = pytest.mark.integration


async def test_of_many_equal_names_one_is_made(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    answers = await asyncio.gather(*(client.post("/connections", json=tcp_draft()) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    assert await stand.owner.fetchval("select count(*) from outbox") == 2


async def test_of_many_edits_of_one_version_one_holds(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    edits = (
        client.put(url, json={"config": {"host": "a.example.com", "port": port}}, headers={"if-match": '"1"'})
        for port in range(1, 9)
    )
    answers = await asyncio.gather(*edits)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 7}
    for refused in (answer.json() for answer in answers if answer.status_code == 412):
        assert refused["code"] == "CONNECTION_CHANGED"
        assert "at version 2 now" in refused["user_message"]
        assert refused["errors"][0]["pointer"] == "/header/if-match"
        assert refused["metadata"] == {"version": 2, "given": "1"}, "both versions, for a page that shows both"


async def test_of_many_requests_one_verification_comes(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    await stand.end_verification(body["verification"]["id"])
    answers = await asyncio.gather(*(client.post(f"/connections/{body['id']}/verify") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["verification_id"] for answer in answers}) == 1
    assert len({answer.json()["correlation_id"] for answer in answers}) == 1


async def test_a_renewal_and_people_at_the_same_moment_make_one_verification(
    stand: ApiStand, api_database: MigratedDatabase, tcp_draft: Any
) -> None:
    client = await stand.client_of("operator")
    urls = []
    for number in range(5):
        body = (await client.post("/connections", json=tcp_draft(name=f"c{number}"))).json()
        await stand.end_verification(body["verification"]["id"])
        urls.append(f"/connections/{body['id']}")
        assert (await client.post(f"{urls[-1]}/activate")).status_code == 200
    pool = await open_pool(api_database.login("clearline_relay"), name="test-clock", max_size=3)

    async def renew() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await Renewals().renew(connection, datetime.now(UTC) + timedelta(hours=23))

    by_hand = (client.post(f"{url}/verify") for url in urls for _ in range(3))
    answers = await asyncio.gather(*(renew() for _ in range(3)), *by_hand)
    await pool.close()
    assert {answer.status_code for answer in answers if answer is not None} == {202}
    ids = {answer.json()["verification_id"] for answer in answers if answer is not None}
    pending = await stand.owner.fetch("select id from verifications where outcome = 'pending'")
    assert {str(row["id"]) for row in pending} == ids
    assert len(ids) == len(urls)
    asked = "select count(*) from outbox where topic = 'clearline.verification-requests'"
    assert await stand.owner.fetchval(asked) == 2 * len(urls), "each asked for once when created, and once now"


async def test_the_outbox_keeps_the_order_of_each_connection(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    bodies = [(await client.post("/connections", json=tcp_draft(name=f"c{each}"))).json() for each in range(3)]
    edits = [
        client.put(f"/connections/{body['id']}", json={"owner": f"o{number}"}, headers={"if-match": "*"})
        for number in range(10)
        for body in bodies
    ]
    answers = await asyncio.gather(*edits)
    assert {answer.status_code for answer in answers} == {200}
    for body in bodies:
        told = [
            int(headers["ce_sequence"]) for _, _, headers in await stand.events(body["id"]) if "ce_sequence" in headers
        ]
        assert told == list(range(1, 12))


async def test_activation_and_retirement_cannot_both_win(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    for number in range(5):
        body = (await client.post("/connections", json=tcp_draft(name=f"c{number}"))).json()
        url = f"/connections/{body['id']}"
        await stand.end_verification(body["verification"]["id"])
        await asyncio.gather(
            client.post(f"{url}/activate"),
            client.delete(url, headers={"if-match": "*"}),
            client.post(f"{url}/verify"),
        )
        shown = (await client.get(url)).json()
        assert shown["lifecycle"] == "retired"
        assert shown["live_revision"] is None
        names = [name for name, *_ in await stand.events(body["id"]) if name in {"activated", "retired"}]
        assert names in (["retired"], ["activated", "retired"])
