"""The servers that P4 compares, on the same uvicorn: `python -m bench.accepting_apps gateway|bare|fastapi PORT`."""

import asyncio
import json
import sys
from typing import Any, cast
from uuid import UUID, uuid4

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from clearline.chassis.health import Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp
from gateway.api.app import Surroundings, build
from gateway.api.server import HttpServer
from gateway.commands.desk import Desk
from gateway.security.limits import Allowances
from gateway.security.principal import Principal

_ID = UUID(int=7)
_AT = "2026-01-01T00:00:00Z"
_SHOWN: dict[str, Any] = {
    "id": str(_ID), "name": "warehouse", "environment": "development", "owner": "data-team", "kind": "postgres",
    "config": {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline", "tls": "prefer"},
    "credentials": {"password": {"stored": True, "changed_at": _AT}},
    "beat": {"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2,
             "degraded_after_ms": None},
    "lifecycle": "inactive", "health": "unknown", "revision": 1, "live_revision": None, "last_live_revision": None,
    "staged_revision": None, "created_by": "bench", "updated_by": "bench",
    "version": 1, "verification": None, "verified_until": None, "live": None, "last_verified_at": None,
    "created_at": _AT, "updated_at": _AT,
}  # fmt: skip


class _DeskThatWritesNothing:
    """Knows everyone, takes every command, does none."""

    async def identify(self, _token: str) -> Principal:
        return Principal(id=_ID, name="bench", role="admin", environments=("development",))

    async def change(self, *_: object, **__: object) -> dict[str, Any]:
        return _SHOWN


def gateway() -> ASGIApp:
    """Ours, whole but for the desk."""
    desk = cast("Desk", _DeskThatWritesNothing())
    operations = OpsApp(Metrics(), Health())
    unlimited = Allowances(commands=1_000_000_000)
    return build(
        Surroundings(desk=desk, new_id=uuid4, installation="bench", operations=operations, allowances=unlimited)
    )


def bare() -> ASGIApp:
    """Reads the body, parses it, answers."""
    answer = json.dumps(_SHOWN).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        json.loads(message["body"])
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def fastapi() -> ASGIApp:
    """As its tutorial shows it: a model in, a model out."""

    class Wanted(BaseModel):
        name: str
        environment: str
        owner: str | None = None
        kind: str
        config: dict[str, Any]
        credentials: dict[str, str]

    class Answer(BaseModel):
        id: UUID
        name: str
        environment: str
        owner: str | None
        kind: str
        config: dict[str, Any]

    app = FastAPI()

    @app.post("/api/v1/connections", status_code=201)
    async def create(wanted: Wanted) -> Answer:
        return Answer(id=_ID, **wanted.model_dump(exclude={"credentials"}))

    return app


def main() -> None:
    """Serve until SIGTERM."""
    _, name, port = sys.argv
    app = {"gateway": gateway, "bare": bare, "fastapi": fastapi}[name]()
    asyncio.run(HttpServer(app, "127.0.0.1", int(port)).run())


if __name__ == "__main__":
    main()
