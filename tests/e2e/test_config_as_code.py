"""Connections in files against the whole stack: applied twice, partly failing, exported, and checked without it."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from tests.e2e.local_checkout import Checkout

pytestmark = pytest.mark.timeout(300)
TEN_CHECKED_WITHIN = 10.0
"""Seconds, start-up included; under 1.5 on an idle machine. The promise is 3."""


@pytest.fixture
def names() -> list[str]:
    return [f"{word}-{uuid4().hex[:8]}" for word in ("store", "gateway", "nobody")]


def postgres(running: Checkout, name: str, **config: Any) -> dict[str, Any]:
    place = urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"])
    given = {"host": place.hostname, "port": place.port, "database": "clearline", "user": place.username}
    return {"name": name, "environment": "development", "kind": "postgres", "config": given | config}


def http(running: Checkout, name: str) -> dict[str, Any]:
    config = {"url": f"http://127.0.0.1:{running.base}/health/live"}
    return {"name": name, "environment": "development", "kind": "http", "config": config}


def write(folder: Path, running: Checkout, items: list[dict[str, Any]]) -> str:
    (folder / "password").write_text((urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"]).password or "") + "\n")
    for item in items:
        if item["kind"] == "postgres":
            item["credentials"] = {"password": "${file:password}"}
    path = folder / "connections.yaml"
    path.write_text(json.dumps({"connections": items}))  # JSON is YAML
    return str(path)


def applied(running: Checkout, *words: str) -> tuple[int, list[tuple[str, list[str], str]]]:
    done = running.command("apply", *words)
    assert done.stdout, done.stderr
    results = json.loads(done.stdout)
    return done.returncode, [(one["name"], one["actions"], one["status"]) for one in results]


def test_files_are_applied_once_each_item_on_its_own_and_exported_unchanged(
    running: Checkout, tmp_path: Path, names: list[str]
) -> None:
    store, gateway, nobody = names
    lost = {"name": nobody, "environment": "staging", "kind": "tcp", "config": {"host": "127.0.0.1", "port": 1}}
    items = [item | {"active": True} for item in (postgres(running, store), lost, http(running, gateway))]
    path = write(tmp_path, running, items)
    both, none = ["create", "activate"], list[str]()
    assert applied(running, "-f", path) == (
        1,
        [(store, both, "done"), (nobody, both, "failed"), (gateway, both, "done")],
    )
    again = [(store, none, "unchanged"), (nobody, ["activate"], "failed"), (gateway, none, "unchanged")]
    assert applied(running, "-f", path) == (1, again)
    found = running.clearline("connections", "show", store)
    assert (found["lifecycle"], found["revision"], found["live_revision"]) == ("active", 1, 1)

    path = write(tmp_path, running, [postgres(running, store, tables=["public.audit"]), http(running, gateway)])
    code, results = applied(running, "-f", path, "--dry-run")
    assert (code, results) == (0, [(store, ["edit"], "planned"), (gateway, none, "unchanged")])
    assert running.clearline("connections", "show", store)["revision"] == 1

    exported = running.command("export", store, gateway, nobody)
    (tmp_path / "exported.json").write_text(exported.stdout)
    assert "${env:" in exported.stdout
    code, results = applied(running, "-f", str(tmp_path / "exported.json"), "--dry-run")
    assert code == 0
    assert sorted(results) == sorted((name, none, "unchanged") for name in names)


def test_a_rotation_is_sent_when_it_is_said_and_only_then(running: Checkout, tmp_path: Path, names: list[str]) -> None:
    name = names[0]
    path = write(tmp_path, running, [postgres(running, name) | {"active": True}])
    assert applied(running, "-f", path)[0] == 0
    (tmp_path / "password").write_text("rotated-but-wrong")
    assert applied(running, "-f", path) == (0, [(name, [], "unchanged")])
    assert applied(running, "-f", path, "--replace-credentials") == (1, [(name, ["edit", "activate"], "failed")])
    found = running.clearline("connections", "show", name)
    assert (found["lifecycle"], found["live_revision"], found["staged_revision"]) == ("active", 1, 2)
    assert found["verification"]["failure"]["field"] == "/credentials/password"


def test_ten_connections_are_checked_in_seconds_without_the_stacks_help(running: Checkout, tmp_path: Path) -> None:
    items = [postgres(running, f"store-{n}") for n in range(3)] + [http(running, f"web-{n}") for n in range(3)]
    port = urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"]).port
    items += [
        {"name": f"port-{n}", "environment": "staging", "kind": "tcp", "config": {"host": "127.0.0.1", "port": port}}
        for n in range(4)
    ]
    path = write(tmp_path, running, items)
    begun = time.monotonic()
    done = running.command("check", "-f", path)
    took = time.monotonic() - begun
    print(f"ten connections checked in {took:.2f} s, start-up included")  # noqa: T201 - the figure is the point
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)
    assert [one["name"] for one in results] == [item["name"] for item in items]
    assert {one["status"] for one in results} == {"verified"}
    assert all(one["steps"][-1]["status"] == "passed" for one in results)
    assert took < TEN_CHECKED_WITHIN
