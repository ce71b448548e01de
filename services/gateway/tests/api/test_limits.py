"""Limits that are reached: too much waiting for Kafka, a body that does not come. Told, and over by themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration


async def test_past_the_outbox_limit_commands_wait_and_reads_go_on(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("admin")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    stand.outbox["pending"] = 100
    for refused in (
        await client.post("/connections", json=tcp_draft(name="b")),
        await client.put(url, json={"name": "c"}, headers={"if-match": "*"}),
        await client.delete(url, headers={"if-match": "*"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (503, "OUTBOX_FULL")
        assert refused.headers["retry-after"] == "30"
        assert refused.json()["retryable"] is True
    assert [each["name"] for each in (await client.get("/connections")).json()["items"]] == ["warehouse"]
    assert (await client.post("/tokens", json={"name": "x", "role": "viewer"})).status_code == 201
    stand.outbox["pending"] = 99
    assert (await client.put(url, json={"name": "c"}, headers={"if-match": "*"})).status_code == 200


async def test_a_slow_body_is_not_waited_for(stand: ApiStand) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    client = await stand.client_of("admin")
    answer = await client.post("/connections", content=slow(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (408, "BODY_TOO_SLOW")
