"""A file of two connections that tests apply, and short words for what became of it."""

from collections.abc import Callable
from typing import Any

from shared.tests.cli.fake_gateway import FakeGateway

FILE = """\
connections:
  - name: warehouse
    environment: production
    kind: postgres
    owner: data-team
    config: {host: db.example.com, database: w, user: clearline}
    credentials: {password: "${env:WAREHOUSE_PASSWORD}"}
    beat: {interval_seconds: 60}
    active: true
  - name: queue
    environment: staging
    kind: tcp
    config: {host: q.example.com, port: 5672}
"""
SECRET = {"WAREHOUSE_PASSWORD": "hunter2-hunter2"}
Apply = Callable[..., tuple[int, list[dict[str, Any]]]]
"""The command's exit code and its results."""


def told(results: list[dict[str, Any]]) -> list[tuple[str, list[str], str]]:
    return [(one["name"], one["actions"], one["status"]) for one in results]


def wrote(gateway: FakeGateway) -> list[str]:
    return [f"{one.method} {one.url.path.rpartition('/')[2]}" for one in gateway.requests if one.method != "GET"]
