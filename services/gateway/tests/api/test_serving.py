"""`gateway serve` as a process: Kafka or PostgreSQL away, not migrated, told to stop, or told nonsense."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from services.gateway.tests.migrated import LOGINS, PASSWORD, MigratedDatabase
from services.gateway.tests.serve_process import ServeProcess, started
from tests.harness import database as databases
from tests.harness.places import free_ports
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

from gateway.migrate import migrate

pytestmark = pytest.mark.integration

SECRET = "s3cr3t-canary-9Xq"
_JSON = {"content-type": "application/json"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "serve.log"


async def test_serve_waits_for_kafka_and_postgres_and_goes_on_by_itself(
    own_postgres: PostgresServer, log: Path
) -> None:
    (nowhere,) = free_ports(1)
    made = await databases.create(own_postgres.dsn)
    database = MigratedDatabase(made.name, made.dsn)
    await _passwords(database)
    loud = {"CLEARLINE_LOG_LEVEL": "DEBUG"}
    async with started(database, f"127.0.0.1:{nowhere}", log, settings=loud) as serve, _client(serve) as client:
        await until(lambda: _ready(client, "run gateway migrate"), within=20)
        early = await client.get("/api/v1/session", headers=_bearer("a" * 43))
        assert (early.status_code, early.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert early.headers["retry-after"] == "5"
        assert (await client.get("/health/live")).status_code == 200

        await migrate(database.dsn)
        token = await serve.token(database)
        await until(lambda: _ready(client, None), within=20)
        followed = _bearer(token) | {"x-correlation-id": "followed-by-a-person"}
        created = await client.post("/api/v1/connections", json=_draft("one"), headers=followed)
        assert created.status_code == 201, "with Kafka away commands wait in the outbox"
        for body in _with_a_secret():
            await client.post("/api/v1/connections", content=body, headers=_bearer(token) | _JSON)
        await until(lambda: _says(client, "kafka", ok=False), within=20)
        assert await _ready(client, None), "Kafka away is told, but requests are served"
        metrics = (await client.get("/metrics")).text
        assert 'clearline_http_requests_total{operation="createConnection",status="201"} 2.0' in metrics

        await own_postgres.stop()
        await until(lambda: _ready(client, "does not answer"), within=15)
        gone = await client.get("/api/v1/connections", headers=_bearer(token))
        assert (gone.status_code, gone.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert gone.json()["retry_after_seconds"] == 5
        await own_postgres.start()
        await until(lambda: _ready(client, None), within=15)
        again = await client.get("/api/v1/connections", headers=_bearer(token))
        assert [each["name"] for each in again.json()["items"]] == ["pg", "one"]

        serve.terminate()
        assert await serve.ended(within=15) == 0
    lines = [json.loads(line) for line in _text(log).splitlines()]
    said = [line["event"] for line in lines]
    assert said.count("Kafka is away; events wait in the outbox") == 1, "it says so once"
    assert said[-1] == "stopped"
    [command] = [line for line in lines if line.get("correlation_id") == "followed-by-a-person"]
    expected = {"event": "command", "action": "CreateConnection", "status": "done"}
    assert command.items() >= (expected | {"connection_id": created.json()["id"]}).items()
    reasons = [(line["code"], line["detail"]) for line in lines if line["event"] == "refused"]
    assert ("STORE_UNAVAILABLE", "Postgres did not answer: not migrated yet.") in reasons
    assert any(code == "MALFORMED_JSON" and "line 1" in detail for code, detail in reasons)
    assert "VALIDATION_FAILED" in dict(reasons)
    assert token not in _text(log)
    assert PASSWORD not in _text(log)
    assert SECRET not in _text(log), "whatever was sent, and however loud the log"


async def test_a_frozen_postgres_costs_a_bounded_time(own_postgres: PostgresServer, log: Path) -> None:
    (nowhere,) = free_ports(1)
    made = await databases.create(own_postgres.dsn)
    database = MigratedDatabase(made.name, made.dsn)
    await migrate(database.dsn)
    await _passwords(database)
    async with started(database, f"127.0.0.1:{nowhere}", log) as serve, _client(serve) as client:
        token = await serve.token(database)
        await until(lambda: _ready(client, None), within=20)
        own_postgres.pause()
        try:
            answers = await asyncio.gather(
                *(client.get("/api/v1/connections", headers=_bearer(token)) for _ in range(30))
            )
        finally:
            own_postgres.resume()
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {"STORE_UNAVAILABLE"}
        await until(lambda: _ready(client, None), within=15)
        assert (await client.get("/api/v1/connections", headers=_bearer(token))).status_code == 200


async def test_sigterm_finishes_what_is_under_way(migrated: MigratedDatabase, log: Path) -> None:
    async with started(migrated, "127.0.0.1:1", log) as serve, _client(serve) as client, migrated.connect() as locker:
        token = await serve.token(migrated)
        await until(lambda: _ready(client, None), within=20)
        created = await client.post("/api/v1/connections", json=_draft("one"), headers=_bearer(token))
        edit_headers = {**_bearer(token), "if-match": created.headers["etag"]}
        async with locker.transaction():
            await locker.execute("select from service_connection_profiles for update")
            edit = asyncio.create_task(
                client.put(f"/api/v1/connections/{created.json()['id']}", json={"name": "two"}, headers=edit_headers)
            )
            waiting = "select exists (select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock')"
            await until(lambda: locker.fetchval(waiting, migrated.name))
            serve.terminate()
            await until(lambda: _refuses(serve.port), within=5)
        answer = await edit
        assert (answer.status_code, answer.json()["name"]) == (200, "two")
        assert await serve.ended(within=15) == 0


async def test_sigterm_keeps_nobody_waiting(migrated: MigratedDatabase, log: Path) -> None:
    async with started(migrated, "127.0.0.1:1", log) as serve, _client(serve) as client, migrated.connect() as owner:
        token = await serve.token(migrated)
        await until(lambda: _ready(client, None), within=20)
        created = (await client.post("/api/v1/connections", json=_draft("one"), headers=_bearer(token))).json()
        wish = {**_bearer(token), "prefer": "wait=30"}

        async def verify(number: int) -> httpx2.Response:
            headers = {**wish, "idempotency-key": str(number)}
            return await client.post(f"/api/v1/connections/{created['id']}/verify", headers=headers)

        waiting = [asyncio.create_task(verify(0)), asyncio.create_task(verify(1))]
        asked = "select count(*) = 2 from idempotency_keys"
        await until(lambda: owner.fetchval(asked), within=20)
        serve.terminate()
        answers = await asyncio.gather(*waiting)
        for answer in answers:
            assert (answer.status_code, answer.json()["verification_id"]) == (202, created["verification"]["id"])
            assert "verification" not in answer.json(), "nobody knows its end yet"
            assert "preference-applied" not in answer.headers
        assert await serve.ended(within=15) == 0


async def test_a_taken_port_names_its_setting(log: Path) -> None:
    nobody = MigratedDatabase("none", "postgresql://nobody@127.0.0.1:1/none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(nobody, "127.0.0.1:1", log, port=port) as serve:
            assert await serve.ended(within=15) == 2
    assert "CLEARLINE_HTTP_PORT" in _text(log)
    assert "Traceback" not in _text(log)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CLEARLINE_SEALING_PUBLIC_KEY", "no-key"), ("CLEARLINE_OUTBOUND_ALLOW", "10.0.0.0/33")],
)
async def test_a_wrong_setting_is_named(log: Path, variable: str, value: str) -> None:
    nobody = MigratedDatabase("none", "postgresql://nobody@127.0.0.1:1/none")
    async with started(nobody, "127.0.0.1:1", log, settings={variable: value}) as serve:
        assert await serve.ended(within=15) == 2
    assert variable in _text(log)
    assert "Traceback" not in _text(log)


def _text(log: Path) -> str:
    return log.read_text()


async def _refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token if token.startswith('clt_') else 'clt_' + token}"}


def _with_a_secret() -> list[str]:
    """Good, unknown, misplaced, malformed."""
    good = {"host": "db.example.com", "port": 5432, "database": "w", "user": "u"}
    draft = {"name": "pg", "environment": "development", "kind": "postgres", "config": good}
    bodies = (
        {**draft, "credentials": {"password": SECRET}},
        {**draft, "credentials": {"password": [SECRET]}},
        {**draft, "config": {**good, "user": f"postgres://u:{SECRET}@h"}},
        {**draft, "name": SECRET * 20, SECRET: 1},
    )
    return [*(json.dumps(body) for body in bodies), f'{{"password": "{SECRET}"', f'"{SECRET}"']


def _draft(name: str) -> dict[str, Any]:
    config = {"host": "db.example.com", "port": 5432}
    return {"name": name, "environment": "development", "kind": "tcp", "config": config}


def _client(serve: ServeProcess) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=50)
    return httpx2.AsyncClient(base_url=serve.url, trust_env=False, timeout=30, limits=limits)


async def _ready(client: httpx2.AsyncClient, because: str | None) -> bool:
    """Ready, or not ready for the reason that holds these words."""
    try:
        answer = await client.get("/health/ready")
    except httpx2.TransportError:
        return False
    if because is None:
        return answer.status_code == 200
    return answer.status_code == 503 and because in answer.json()["checks"]["postgres"]["detail"]


async def _says(client: httpx2.AsyncClient, check: str, *, ok: bool) -> bool:
    said: bool = (await client.get("/health/ready")).json()["checks"][check]["ok"] is ok
    return said


async def _passwords(database: MigratedDatabase) -> None:
    """The roles of this server, with the passwords that tests use; migrations leave them as they are."""
    connection = await asyncpg.connect(database.dsn)
    for login in LOGINS:
        try:
            await connection.execute(f"create role {login} login password '{PASSWORD}'")
        except asyncpg.DuplicateObjectError:
            await connection.execute(f"alter role {login} password '{PASSWORD}'")
    await connection.execute("alter role clearline_api noinherit")
    await connection.close()
