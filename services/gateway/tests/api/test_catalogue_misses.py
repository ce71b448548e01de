"""A code that the catalogue does not know is told safely over HTTP, and counted without becoming a label."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import generate_latest

from clearline.catalogue import ClearlineError, load
from clearline.chassis.metrics import Metrics
from gateway.api.app import create_api
from gateway.api.correlation import Correlated
from gateway.api.refusals import Refusals


def the_id() -> UUID:
    return uuid4()


async def test_an_unknown_code_is_answered_safely_and_counted() -> None:
    metrics, app = Metrics(), create_api()
    app.state.refusals = Refusals(load(metrics.count_catalogue_miss), time.monotonic)

    @app.get("/fails")
    async def fails() -> None:
        raise ClearlineError("CODE_OF_TOMORROW")

    status, problem = await asked(Correlated(app, the_id), "/fails")
    assert (status, problem["code"]) == (500, "UNEXPECTED")
    assert "TOMORROW" not in json.dumps(problem)
    exposed = generate_latest(metrics.registry).decode()
    assert "clearline_catalogue_miss_total 1.0" in exposed
    assert "TOMORROW" not in exposed


async def asked(app: Any, path: str) -> tuple[int, dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)
