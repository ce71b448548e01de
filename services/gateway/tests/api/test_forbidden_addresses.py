"""Create, edit and unsaved tests refuse forbidden addresses however they are written, and no good target (SSRF).

Names that only a resolver knows are taken: the gateway never resolves, and the probes judge what is dialled
(`shared/tests/probes/test_ssrf.py`).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand
from tests.harness.forbidden_targets import GOOD, RESOLVING, SPELLINGS, URLS

from clearline.testing.hostile_servers import closing, serving

pytestmark = pytest.mark.integration
ROUTES = {"create": "/connections", "unsaved test": "/connections:test"}


def configs(host: str, port: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The host in the forms of several kinds: by itself, in a URL, as the second place that is dialled."""
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    url = f"https://{bracketed}:{port}/"
    yield "tcp", {"host": host, "port": port}
    yield "http", {"url": url}
    oauth2 = {"auth": "oauth2", "token_url": url, "client_id": "c"}
    yield "http", {"url": "https://api.example.com"} | oauth2
    yield "dns", {"name": "example.com", "resolver": host, "port": port}


def draft(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": "n", "environment": "development", "kind": kind, "config": config}


async def refused(stand: ApiStand, path: str, body: dict[str, Any]) -> bool:
    """Whether the route refused the config at one of its fields, with nothing about the address in the words."""
    client = stand.clients[0]
    answer = await client.post(path, json=body)
    if answer.status_code in (201, 202):
        return False
    assert answer.status_code == 422, answer.text
    faults = [each for each in answer.json()["errors"] if each["pointer"].startswith("/config/")]
    return bool(faults)


@pytest.mark.parametrize("route", ROUTES)
async def test_no_spelling_of_a_forbidden_address_is_taken(stand: ApiStand, route: str) -> None:
    """Each spelling in one form, in turn; every form with every spelling is judged in `test_ssrf.py` without HTTP."""
    await stand.client_of("operator")
    async with serving(closing) as canary:
        for number, host in enumerate(SPELLINGS):
            offered = [*configs(host, canary.port)]
            kind, config = offered[number % len(offered)]
            assert await refused(stand, ROUTES[route], draft(kind, config)), (kind, host)
        for number, text in enumerate(URLS):
            kind = ("http", "supabase")[number % 2]
            config = {"url": text.format(port=canary.port)}
            assert await refused(stand, ROUTES[route], draft(kind, config)), (kind, text)
        assert canary.connections == 0
    assert await stand.owner.fetchval("select count(*) from outbox") == 0


async def test_no_edit_moves_a_connection_there(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    made = (await client.post("/connections", json=tcp_draft())).json()
    for host in SPELLINGS[::3]:
        body = {"config": {"host": host, "port": 1}}
        answer = await client.put(f"/connections/{made['id']}", json=body, headers={"if-match": "*"})
        assert answer.status_code == 422, host
    assert (await client.get(f"/connections/{made['id']}")).json()["config"] == made["config"]


@pytest.mark.parametrize("route", ROUTES)
async def test_good_targets_and_names_that_only_a_resolver_knows_are_taken(stand: ApiStand, route: str) -> None:
    client = await stand.client_of("operator")
    for number, host in enumerate((*GOOD, *RESOLVING)):
        await stand.owner.execute("delete from connection_tests")  # one may have ten at a time
        body = draft("tcp", {"host": host, "port": 443}) | {"name": f"n-{number}"}
        answer = await client.post(ROUTES[route], json=body)
        assert answer.status_code in (201, 202), (host, answer.text)
