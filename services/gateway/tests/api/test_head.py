"""HEAD answers as GET does, without its body, through the real server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from services.gateway.tests.api_stand import ApiStand

from gateway.api.server import HttpServer

pytestmark = pytest.mark.integration

TOLD = ("content-type", "content-length", "etag", "x-content-type-options")


@pytest.fixture
async def client(stand: ApiStand) -> AsyncIterator[httpx2.AsyncClient]:
    authorization = (await stand.client_of("operator")).headers["authorization"]
    server = HttpServer(stand.app, "127.0.0.1", 0)
    running = asyncio.create_task(server.run())
    url = f"http://127.0.0.1:{server.port}/api/v1"
    async with httpx2.AsyncClient(base_url=url, headers={"authorization": authorization}, trust_env=False) as opened:
        yield opened
    server.stop()
    await running


async def test_head_is_get_without_its_body(client: httpx2.AsyncClient, tcp_draft: Any) -> None:
    created = await client.post("/connections", json=tcp_draft())
    for url in ("/connections", f"/connections/{created.json()['id']}", "/session", "/nowhere", "/error-catalogue"):
        told, whole = await client.head(url), await client.get(url)
        assert told.content == b""
        assert whole.content
        assert told.status_code == whole.status_code
        assert [told.headers.get(name) for name in TOLD] == [whole.headers.get(name) for name in TOLD]


async def test_head_is_among_what_is_allowed(client: httpx2.AsyncClient) -> None:
    assert (await client.patch("/connections", json={})).headers["allow"] == "GET, HEAD, POST"
    verify = "/connections/00000000-0000-4000-8000-000000000000/verify"
    refused = await client.head(verify)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
