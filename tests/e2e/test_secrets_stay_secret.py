"""A credential is sealed on the way in and stands nowhere else: bus, tables, logs, metrics and answers are searched."""

from collections.abc import Iterable
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaProducer
from tests.e2e.local_checkout import Checkout
from tests.e2e.secret_search import Place, files_below, pages, sightings, spellings, table_rows, topic_records
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(300)
HARD = "\"'\\&+/=%<ü>"
"""Characters that every escaping changes."""


def secret() -> str:
    return f"{uuid4().hex}{HARD}{uuid4().hex}"


async def everything(running: Checkout) -> list[Place]:
    """All that the stack has written down and all that it answers."""
    base, env = running.base, running.env()
    admin = {"Authorization": f"Bearer {env['CLEARLINE_TOKEN']}"}
    api = [f"{env['CLEARLINE_URL']}/api/v1{path}" for path in ("/connections?limit=200", "/audit?limit=200", "/tokens")]
    found = [place async for place in topic_records(env["CLEARLINE_KAFKA_BOOTSTRAP_SERVERS"])]
    found += [place async for place in table_rows((running.places.keys / "clearline.dsn").read_text().strip())]
    found += files_below(running.places.logs, "log")
    found += pages([f"http://127.0.0.1:{port}/metrics" for port in (base, base + 1, base + 2)], "metrics")
    found += pages(api, "answer", admin)
    return found


async def use_everywhere(running: Checkout, password: str) -> None:
    """Bring a secret in by every door, so that it is stored, used, rejected, edited and refused."""
    env, unique = running.env(), uuid4().hex[:8]
    address = {"host": "127.0.0.1", "port": running.base + 12, "database": "clearline", "user": "nobody-known"}
    rejected = {"kind": "postgres", "config": address, "credentials": {"password": password}}
    url = f"{env['CLEARLINE_URL']}/api/v1"
    by_http = {"url": f"{url}/session?x=1", "auth": "bearer"}
    bodies: list[dict[str, object]] = [
        {"name": f"rejected-{unique}", **rejected},
        {
            "name": f"token-{unique}",
            "kind": "http",
            "config": by_http,
            "credentials": {"token": password.encode().hex()},
        },
        {"name": f"public-{unique}", "kind": "postgres", "config": address | {"password": password}},
        {"name": f"extra-{unique}", **rejected, "password": password},
        {"name": password, **rejected, "environment": "nowhere"},
    ]
    async with httpx2.AsyncClient(
        base_url=url, trust_env=False, headers={"Authorization": f"Bearer {env['CLEARLINE_TOKEN']}"}
    ) as client:
        answers = [await client.post("/connections", json={"environment": "development"} | body) for body in bodies]
        assert [answer.status_code for answer in answers] == [201, 201, 422, 422, 422]
        half = b'{"credentials": {"password": "' + password.encode() + b'"'
        broken = await client.post("/connections", content=half, headers={"Content-Type": "application/json"})
        assert broken.status_code == 400
        texts = [answer.text for answer in [*answers, broken]]
        assert sightings(password, [Place("answer", "to a command", text.encode()) for text in texts]) == []

        for made in answers[:2]:

            async def ended(location: str = made.headers["Location"]) -> bool:
                return bool((await client.get(location.removeprefix("/api/v1"))).json()["verification"]["completed_at"])

            await until(ended, within=20)


async def plant(running: Checkout, canary: str) -> None:
    """Write the canary, in every spelling, where a leak would be."""
    env, texts = running.env(), list(spellings(canary).values())
    producer = AIOKafkaProducer(bootstrap_servers=env["CLEARLINE_KAFKA_BOOTSTRAP_SERVERS"])
    await producer.start()
    try:
        for text in texts:
            await producer.send_and_wait("clearline.dead-letters", text, key=b"canary", headers=[("canary", text)])
    finally:
        await producer.stop()
    owner = await asyncpg.connect((running.places.keys / "clearline.dsn").read_text().strip())
    try:
        for text in texts:
            await owner.execute(
                "insert into audit (principal, action, object_type, object_id, correlation_id) "
                "values ('test', 'plant', 'canary', $1, 'canary')",
                text.decode(),
            )
    finally:
        await owner.close()
    with (running.places.logs / "gateway.log").open("ab") as log:
        log.write(b"\n".join(texts) + b"\n")


def kinds_of(found: Iterable[str], kind: str, name: str) -> set[str]:
    prefix = f"{kind} {name}: "
    return {each.removeprefix(prefix) for each in found if each.startswith(prefix)}


async def test_a_secret_stands_nowhere_in_no_spelling(running: Checkout) -> None:
    password = secret()
    await use_everywhere(running, password)
    places = await everything(running)
    assert {place.kind for place in places} == {"topic", "table", "log", "metrics", "answer"}
    assert sightings(password, places) == []
    assert sightings(password.encode().hex(), places) == []


async def test_the_search_finds_a_canary_in_every_place_and_spelling(running: Checkout) -> None:
    canary = secret()
    await plant(running, canary)
    found = sightings(canary, await everything(running))
    for kind, name in (("topic", "clearline.dead-letters"), ("table", "audit"), ("log", "gateway.log")):
        assert kinds_of(found, kind, name) == set(spellings(canary)), f"{kind} {name}"
    # A metrics page and an answer are read as they are: what they surely hold is found in them.
    assert sightings("clearline_build_info", pages([f"http://127.0.0.1:{running.base + 2}/metrics"], "metrics"))
