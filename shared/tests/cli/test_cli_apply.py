"""`clearline apply`: what differs is done, what does not is left alone, and each item's trouble is its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem, verification

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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def apply(clearline: Clearline, file: Path) -> Apply:
    """The command's exit code and its results."""

    def call(*options: str, env: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
        result = clearline("apply", "-f", file.name, "-o", "json", *options, env=SECRET if env is None else env)
        assert "hunter2" not in result.out + result.err
        assert result.out, result.err
        return result.code, result.json

    return call


def told(results: list[dict[str, Any]]) -> list[tuple[str, list[str], str]]:
    return [(one["name"], one["actions"], one["status"]) for one in results]


def wrote(gateway: FakeGateway) -> list[str]:
    return [f"{one.method} {one.url.path.rpartition('/')[2]}" for one in gateway.requests if one.method != "GET"]


def test_what_is_missing_is_created_verified_and_activated(apply: Apply, gateway: FakeGateway) -> None:
    code, results = apply()
    assert (code, told(results)) == (0, [("warehouse", ["create", "activate"], "done"), ("queue", ["create"], "done")])
    warehouse, queue = sorted(gateway.connections.values(), key=lambda one: one["environment"])
    assert (warehouse["lifecycle"], warehouse["owner"], warehouse["beat"]["interval_seconds"]) == (
        "active",
        "data-team",
        60,
    )
    assert queue["lifecycle"] == "inactive"
    assert [one["field"] for one in results[0]["changed"]] == [
        "/config/host",
        "/config/database",
        "/config/user",
        "/credentials/password",
        "/owner",
        "/beat/interval_seconds",
    ]
    created = next(body for body in gateway.sent("POST") if body.get("name") == "warehouse")
    assert created["credentials"] == {"password": "hunter2-hunter2"}
    assert {"revision": 1} in gateway.sent("POST"), "what is activated is the revision that was verified"


def test_the_second_time_nothing_is_written(apply: Apply, gateway: FakeGateway) -> None:
    apply()
    before = len(wrote(gateway))
    code, results = apply()
    assert (code, told(results)) == (0, [("warehouse", [], "unchanged"), ("queue", [], "unchanged")])
    assert results[0]["unknown"] == ["/credentials/password"]
    assert len(wrote(gateway)) == before


def test_an_edit_says_each_field_before_and_after_and_is_made_of_what_the_file_says(
    apply: Apply, gateway: FakeGateway, file: Path
) -> None:
    apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("owner: data-team", "owner: platform"))
    code, results = apply()
    assert (code, told(results)[0]) == (0, ("warehouse", ["edit", "activate"], "done"))
    assert results[0]["changed"] == [
        {"field": "/config/database", "before": "w", "after": "lake"},
        {"field": "/credentials/password", "before": "stored", "after": "sent"},
        {"field": "/owner", "before": "data-team", "after": "platform"},
    ]
    [put] = gateway.sent("PUT")
    assert put["credentials"] == {"password": "hunter2-hunter2"}
    assert gateway.connections[results[0]["id"]]["live_revision"] == 2


def test_settings_alone_make_no_revision_and_need_no_activation(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("interval_seconds: 60", "interval_seconds: 90"))
    _, results = apply()
    assert told(results)[0] == ("warehouse", ["settings"], "done")
    assert gateway.connections[results[0]["id"]]["revision"] == 1
    assert (gateway.sent("PUT")[0]["credentials"], results[0]["unknown"]) == ({}, ["/credentials/password"])


def test_what_the_file_leaves_out_has_its_default(apply: Apply, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("    owner: data-team\n", "").replace("    beat: {interval_seconds: 60}\n", ""))
    _, results = apply()
    assert {(one["field"], one["after"]) for one in results[0]["changed"]} == {
        ("/owner", None),
        ("/beat/interval_seconds", 30),
    }


def test_a_changed_destination_brings_the_secret_anew(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("db.example.com", "db2.example.com"))
    _, results = apply()
    assert {"field": "/credentials/password", "before": "stored", "after": "sent"} in results[0]["changed"]
    assert gateway.sent("PUT")[0]["credentials"] == {"password": "hunter2-hunter2"}


def test_a_rotation_is_said_by_the_option_or_once_by_the_file(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    _, results = apply("--replace-credentials", "--only", "warehouse")
    assert told(results) == [("warehouse", ["edit", "activate"], "done")]
    file.write_text(FILE.replace("    active: true", "    active: true\n    credentials_after: 2026-11-22T11:59:59Z"))
    assert told(apply()[1])[0] == ("warehouse", [], "unchanged"), "it was stored after that moment"
    gateway.connections[results[0]["id"]]["credentials"]["password"]["changed_at"] = "2026-11-01T00:00:00Z"
    assert told(apply()[1])[0] == ("warehouse", ["edit", "activate"], "done")
    assert told(apply()[1])[0] == ("warehouse", [], "unchanged")


def test_null_removes_a_stored_credential(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    web = "{name: web, environment: staging, kind: http, config: {url: 'http://x.example.com/'}"
    file.write_text(web + ", credentials: {token: null}}")
    config = {"url": "http://x.example.com/"}
    gateway.add("web", "staging", kind="http", config=config, credentials={"token": {"stored": True}})
    _, results = apply()
    assert told(results) == [("web", ["edit"], "done")]
    assert gateway.sent("PUT")[0]["credentials"] == {"token": None}


@pytest.mark.parametrize(
    ("active", "live", "actions"),
    [("true", 1, []), ("false", 1, ["deactivate"]), ("false", None, []), (None, 1, [])],
)
def test_active_is_made_so_or_left_alone(
    apply: Apply, gateway: FakeGateway, active: str | None, live: int | None, actions: list[str], *, file: Path
) -> None:
    more = f", active: {active}" if active else ""
    file.write_text(f"{{name: q, environment: staging, kind: tcp, config: {{host: q, port: 1}}{more}}}")
    lifecycle = "active" if live else "inactive"
    beat = {"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2}
    gateway.add(
        *("q", "staging"), kind="tcp", config={"host": "q", "port": 1}, credentials={}, beat=beat,
        lifecycle=lifecycle, live_revision=live,
    )  # fmt: skip
    code, results = apply()
    assert (code, results[0]["actions"]) == (0, actions)


def test_a_revision_that_waits_beside_the_live_one_goes_live(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    _, results = apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("    active: true\n", ""))
    assert told(apply()[1])[0] == ("warehouse", ["edit"], "done")
    file.write_text(FILE.replace("database: w", "database: lake"))
    assert told(apply()[1])[0] == ("warehouse", ["activate"], "done")
    assert gateway.connections[results[0]["id"]]["live_revision"] == 2


def test_a_failed_verification_is_that_items_failure_and_the_others_go_on(
    apply: Apply, clearline: Clearline, gateway: FakeGateway
) -> None:
    failure = {"code": "AUTH_REJECTED", "field": "/credentials/password", "message": "The password was not accepted."}
    gateway.script = [verification("failed", failure=failure)]
    code, results = apply()
    assert (code, told(results)) == (
        1,
        [("warehouse", ["create", "activate"], "failed"), ("queue", ["create"], "done")],
    )
    assert results[0]["failure"]["code"] == "AUTH_REJECTED"
    assert gateway.connections[results[0]["id"]]["lifecycle"] == "inactive"
    gateway.connections[results[0]["id"]]["verification"] = gateway.script[0]
    again = clearline("apply", "-f", "c.yaml", env=SECRET)
    assert again.code == 1
    assert "POST verify" in wrote(gateway), "what failed is tried anew: it may be mended by now"
    assert "The password was not accepted." in again.out


def test_a_refused_item_is_told_and_the_others_go_on(apply: Apply, gateway: FakeGateway) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        del gateway.answers["POST", "/api/v1/connections"]
        name = json.loads(request.content)["name"]
        return problem(403, "NOT_ALLOWED", f"You may not create {name}.")

    gateway.answers["POST", "/api/v1/connections"] = refuse
    code, results = apply("--parallel", "1")
    assert (code, told(results)) == (
        1,
        [("warehouse", ["create", "activate"], "failed"), ("queue", ["create"], "done")],
    )
    assert results[0]["problem"]["code"] == "NOT_ALLOWED"


def test_a_kind_never_changes_and_what_to_do_is_said(apply: Apply, gateway: FakeGateway) -> None:
    gateway.add("queue", "staging")  # a postgres
    code, results = apply()
    assert (code, told(results)) == (1, [("warehouse", ["create", "activate"], "done"), ("queue", [], "failed")])
    [error] = results[1]["problem"]["errors"]
    assert (error["pointer"], error["line"]) == ("/kind", 12)
    assert "clearline connections retire staging/queue" in error["detail"]
    assert gateway.sent("PUT") == []


def test_a_verification_that_takes_too_long_is_inconclusive(apply: Apply, gateway: FakeGateway) -> None:
    gateway.script = [verification("pending", 1)]
    code, results = apply("--timeout", "5")
    assert (code, results[0]["status"]) == (2, "pending")
    gateway.requests.clear()
    code, results = apply("--no-wait")
    assert (code, results[0]["actions"], results[0]["status"]) == (2, ["activate"], "pending")
    assert wrote(gateway) == []


@pytest.mark.parametrize("after", ["another", "the same"])
def test_two_edits_at_once_are_read_anew_once(apply: Apply, gateway: FakeGateway, file: Path, after: str) -> None:
    _, results = apply()
    one = gateway.connections[results[0]["id"]]
    file.write_text(FILE.replace("database: w", "database: lake"))
    path = f"/api/v1/connections/{one['id']}"

    def faster(_request: httpx2.Request) -> httpx2.Response:
        del gateway.answers["PUT", path]
        one["config"] = one["config"] | ({"database": "lake"} if after == "the same" else {"port": 1})
        one["version"] += 1
        return problem(412, "CONNECTION_CHANGED", "Somebody else changed this connection.")

    gateway.answers["PUT", path] = faster
    code, _ = apply()
    assert code == 0
    assert one["config"]["database"] == "lake"
    assert len(gateway.sent("PUT")) == (2 if after == "another" else 1)


def test_a_second_race_is_told(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    _, results = apply()
    file.write_text(FILE.replace("database: w", "database: lake"))
    path = f"/api/v1/connections/{results[0]['id']}"
    gateway.answers["PUT", path] = lambda _request: problem(412, "CONNECTION_CHANGED", "Somebody else changed it.")
    code, results = apply()
    assert (code, results[0]["problem"]["code"]) == (1, "CONNECTION_CHANGED")


def test_who_is_created_by_somebody_else_meanwhile_is_edited(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    file.write_text("{name: queue, environment: staging, kind: tcp, config: {host: q, port: 1}}")

    def taken(_request: httpx2.Request) -> httpx2.Response:
        del gateway.answers["POST", "/api/v1/connections"]
        gateway.add("queue", "staging", kind="tcp", config={"host": "p", "port": 1}, credentials={})
        return problem(409, "CONNECTION_NAME_TAKEN", "Another connection has this name.")

    gateway.answers["POST", "/api/v1/connections"] = taken
    code, results = apply()
    assert (code, results[0]["actions"]) == (0, ["edit"])


def test_a_rate_limit_is_waited_out_as_long_as_it_says(apply: Apply, gateway: FakeGateway) -> None:
    limited = [30, 5]

    def limit(request: httpx2.Request) -> httpx2.Response:
        if limited:
            return problem(429, "RATE_LIMITED", "Too many.", retry_after_seconds=limited.pop())
        return gateway._answer(request)

    gateway.answers["POST", "/api/v1/connections"] = limit
    code, results = apply("--parallel", "1")
    assert (code, results[0]["status"]) == (0, "done")


def test_many_at_a_time_are_done_each_once_under_a_key_of_its_own(
    apply: Apply, gateway: FakeGateway, file: Path
) -> None:
    item = "{name: n%s, environment: staging, kind: tcp, config: {host: q, port: 1}, active: true}"
    file.write_text("\n---\n".join(item % number for number in range(60)))
    code, results = apply("--parallel", "16")
    assert (code, [one["name"] for one in results]) == (0, [f"n{number}" for number in range(60)])
    keys = [one.headers["idempotency-key"] for one in gateway.requests if one.method == "POST"]
    assert len(set(keys)) == len(keys) == 120


def test_a_rate_limit_that_lasts_too_long_is_told(apply: Apply, gateway: FakeGateway) -> None:
    gateway.answers["POST", "/api/v1/connections"] = lambda _r: problem(
        429, "RATE_LIMITED", "Too many.", retry_after_seconds=3600
    )
    code, results = apply()
    assert (code, results[0]["problem"]["code"]) == (1, "RATE_LIMITED")


def test_a_missing_variable_stops_everything_before_the_first_write(
    clearline: Clearline, gateway: FakeGateway, file: Path
) -> None:
    result = clearline("apply", "-f", file.name)
    assert result.code == 2
    assert "c.yaml:7 production/warehouse /credentials/password" in result.err
    assert "WAREHOUSE_PASSWORD is not set" in result.err
    assert wrote(gateway) == []


def test_a_secret_that_cannot_be_one_is_told_at_its_line(
    clearline: Clearline, gateway: FakeGateway, file: Path
) -> None:
    result = clearline("apply", "-f", file.name, env={"WAREHOUSE_PASSWORD": "two\nlines"})
    assert (result.code, wrote(gateway)) == (2, [])
    assert "c.yaml:7 production/warehouse /credentials/password (CONTROL_CHARACTERS)" in result.err


def test_a_needed_secret_that_the_file_does_not_name_is_told(
    clearline: Clearline, gateway: FakeGateway, file: Path
) -> None:
    file.write_text(FILE.replace("    credentials:", "#"))
    result = clearline("apply", "-f", file.name, "--dry-run")
    assert (result.code, wrote(gateway)) == (2, [])
    assert "/credentials/password (FIELD_REQUIRED)" in result.err


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(
    clearline: Clearline, gateway: FakeGateway, file: Path, apply: Apply
) -> None:
    apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("port: 5672", "port: 5673"))
    gateway.requests.clear()
    result = clearline("apply", "-f", file.name, "--dry-run", env=SECRET)
    assert (result.code, wrote(gateway)) == (0, [])
    assert "edit, activate production/warehouse (postgres, c.yaml:2)" in result.out
    assert '/config/database: "w" → "lake"' in result.out
    assert "/credentials/password: sent" in result.out
    assert "2 planned (dry run: nothing was changed)" in result.out


def test_a_dry_run_needs_only_the_secrets_that_would_be_sent(
    clearline: Clearline, gateway: FakeGateway, file: Path, apply: Apply
) -> None:
    assert clearline("apply", "-f", file.name, "--dry-run").code == 2
    apply()
    result = clearline("apply", "-f", file.name, "--dry-run")
    assert result.code == 0
    assert "Warning: c.yaml:7" in result.err
    assert "WAREHOUSE_PASSWORD is not set" in result.err
    file.write_text(FILE.replace("database: w", "database: lake"))
    assert clearline("apply", "-f", file.name, "--dry-run").code == 0, "shown; applying needs it"
    for text, options in (
        (FILE, ["--dry-run", "--replace-credentials"]),
        (FILE.replace("db.example.com", "db2.example.com"), ["--dry-run"]),  # it would go to another place
        (FILE, []),
    ):
        file.write_text(text)
        result = clearline("apply", "-f", file.name, *options)
        assert (result.code, "REFERENCE_UNAVAILABLE" in result.err) == (2, True), options
    assert gateway.sent("PUT") == []


def test_a_gateway_that_is_away_ends_with_3(clearline: Clearline, gateway: FakeGateway, file: Path) -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    gateway.answers["GET", "/api/v1/connections"] = away
    assert clearline("apply", "-f", file.name, env=SECRET).code == 3


def test_a_newer_gateways_field_with_its_default_is_no_difference(
    apply: Apply, gateway: FakeGateway, file: Path
) -> None:
    """And an older one, whose stored config lacks a field that has a default here."""
    file.write_text("{name: w, environment: staging, kind: postgres, config: {host: db, database: d, user: u}}")
    gateway.add("w", "staging", config={"host": "db", "database": "d", "user": "u"})
    _, results = apply()
    assert results[0]["actions"] in ([], ["settings"])
    assert not [one for one in results[0]["changed"] if one["field"].startswith("/config")]
