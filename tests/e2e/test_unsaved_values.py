"""Trying values before anyone saves them, on the whole stack: live steps, cancelling, stored secrets, and who may."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx2
import pytest
from tests.e2e.local_checkout import Checkout
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(300)
ALL = ("development", "staging", "production")


@asynccontextmanager
async def client_of(running: Checkout, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    base = f"{running.env()['CLEARLINE_URL']}/api/v1"
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=40) as client:
        yield client


@asynccontextmanager
async def admin_of(running: Checkout) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(running, running.env()["CLEARLINE_TOKEN"]) as client:
        yield client


async def token(admin: httpx2.AsyncClient, role: str, environments: tuple[str, ...] = ALL) -> str:
    body = {"name": f"e2e-{uuid4().hex[:8]}", "role": role, "environments": list(environments)}
    made = await admin.post("/tokens", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def own_postgres(running: Checkout) -> dict[str, Any]:
    """The stack's own PostgreSQL, as its owner."""
    parts = urlsplit((running.places.keys / "clearline.dsn").read_text().strip())
    config = {"host": "127.0.0.1", "port": parts.port, "database": "clearline", "user": parts.username}
    return {
        "environment": "development",
        "kind": "postgres",
        "config": {**config, "tls": "disable"},
        "credentials": {"password": unquote(parts.password or "")},
    }


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server that accepts and says nothing, and whether its client has gone."""
    gone = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], gone
    finally:
        server.close()


async def test_a_draft_is_tried_on_a_real_server_and_leaves_no_connection(running: Checkout) -> None:
    async with admin_of(running) as admin:
        before = (await admin.get("/connections")).json()["items"]
        draft = own_postgres(running)
        answer = await admin.post("/connections:test", json=draft, headers={"Prefer": "wait=20"})
        assert answer.status_code == 202, answer.text
        test = answer.json()["test"]
        assert test["status"] == "verified", test
        assert [step["name"] for step in test["steps"]] == [
            *("resolve", "connect", "tls", "authenticate", "authorize", "exercise")
        ]
        wrong = {**draft, "credentials": {"password": "not this one"}}
        failed = (await admin.post("/connections:test", json=wrong, headers={"Prefer": "wait=20"})).json()["test"]
        assert (failed["status"], failed["failure"]["code"]) == ("failed", "AUTH_REJECTED")
        assert failed["failure"]["operator_detail"]
        assert (await admin.get("/connections")).json()["items"] == before


async def test_steps_come_while_it_runs_and_a_cancel_ends_it_at_once(running: Checkout) -> None:
    async with admin_of(running) as admin, silent() as (port, gone):
        draft = {"environment": "development", "kind": "http", "config": {"url": f"http://127.0.0.1:{port}/"}}
        url = (await admin.post("/connections:test", json=draft)).headers["Location"].removeprefix("/api/v1")

        async def shown() -> dict[str, Any]:
            test: dict[str, Any] = (await admin.get(url)).json()
            return test

        async def connected() -> bool:
            test = await shown()
            return "connect" in [step["name"] for step in test["steps"] if test["status"] == "pending"]

        await until(connected, within=20)
        begun = time.monotonic()
        assert (await admin.delete(url)).status_code == 202

        async def cancelled() -> bool:
            return bool((await shown())["status"] == "cancelled")

        await until(cancelled, within=5)
        assert time.monotonic() - begun < 5, "long before the step's own deadline"
        assert (await shown())["failure"]["code"] == "VERIFICATION_CANCELLED"
        await asyncio.wait_for(gone.wait(), 5)


async def test_stored_secrets_serve_a_test_and_go_nowhere_else(running: Checkout) -> None:
    async with admin_of(running) as admin, silent() as (port, _):
        draft = own_postgres(running)
        made = (await admin.post("/connections", json={"name": f"db-{uuid4().hex[:8]}", **draft})).json()
        changed = {**draft["config"], "database": "postgres"}
        answer = await admin.post(
            "/connections:test", json={"id": made["id"], "config": changed}, headers={"Prefer": "wait=20"}
        )
        assert answer.json()["test"]["status"] == "verified", answer.text
        elsewhere = {"id": made["id"], "config": {**draft["config"], "port": port}}
        refused = await admin.post("/connections:test", json=elsewhere)
        assert (refused.status_code, refused.json()["code"]) == (422, "CREDENTIALS_REQUIRED")
        assert (await admin.get(f"/connections/{made['id']}")).json()["revision"] == 1
        history = (await admin.get(f"/connections/{made['id']}/history")).json()["items"]
        assert [entry["action"] for entry in history] == ["connection.tested", "connection.created"]


async def test_nobody_else_sees_a_test_or_borrows_a_secret(running: Checkout) -> None:
    async with admin_of(running) as admin:
        draft = own_postgres(running)
        made = (await admin.post("/connections", json={"name": f"db-{uuid4().hex[:8]}", **draft})).json()
        mine, other = await token(admin, "operator"), await token(admin, "operator")
        foreign = await token(admin, "operator", ("production",))
        async with client_of(running, mine) as starter:
            test_id = (await starter.post("/connections:test", json=draft)).json()["test_id"]
            assert (await starter.get(f"/connection-tests/{test_id}")).status_code == 200
        for text in (other, foreign):
            async with client_of(running, text) as stranger:
                for method in ("GET", "DELETE"):
                    refused = await stranger.request(method, f"/connection-tests/{test_id}")
                    assert (refused.status_code, refused.json()["code"]) == (404, "TEST_NOT_FOUND")
        async with client_of(running, foreign) as stranger:
            refused = await stranger.post("/connections:test", json={"id": made["id"]})
            assert (refused.status_code, refused.json()["code"]) == (404, "CONNECTION_NOT_FOUND")
        assert (await admin.get(f"/connection-tests/{test_id}")).status_code == 200


def test_the_command_line_tries_a_file(running: Checkout) -> None:
    file = running.folder / "tried.yaml"
    file.write_text(
        "connections:\n"
        f"  - {{name: here, environment: development, kind: tcp, config: {{host: 127.0.0.1, port: {running.base}}}}}\n"
        "  - {name: nowhere, environment: development, kind: tcp, config: {host: 127.0.0.1, port: 1}}\n"
    )
    done = running.command("test", "-f", str(file))
    assert done.returncode == 1, done.stderr
    listed = running.clearline("connections", "list")["items"]
    assert not {"here", "nowhere"} & {one["name"] for one in listed}
