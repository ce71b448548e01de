"""`clearline apply` where something is wrong: each item's trouble is its own, and nothing is half done unsaid."""

import json
from pathlib import Path

import httpx2
import pytest
from shared.tests.cli.declared_file import FILE, SECRET, Apply, told, wrote
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem, verification

from clearline.cli.apply_view import summary
from clearline.cli.applying.difference import Action, Plan
from clearline.cli.applying.turn import Outcome
from clearline.cli.declared.reader import read_declared
from clearline.cli.lines import Line
from clearline.cli.surroundings import Surroundings


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


@pytest.mark.parametrize("output", ["table", "json"])
def test_ctrl_c_tells_what_was_done_and_what_waits(
    clearline: Clearline, gateway: FakeGateway, file: Path, output: str
) -> None:
    item = "{name: %s, environment: staging, kind: tcp, config: {host: q, port: 1}, active: %s}"
    file.write_text("\n---\n".join(item % each for each in (("a", "false"), ("b", "true"))))
    gateway.script = [KeyboardInterrupt()]  # while `b` waits for its verification
    result = clearline("apply", "-f", file.name, "--parallel", "1", "-o", output)
    assert result.code == 130
    assert "apply again to finish" in result.err
    if output == "json":
        assert [(one["name"], one["status"]) for one in result.json] == [("a", "done"), ("b", "pending")]
    else:
        assert "1 done, 1 pending" in result.out


def test_what_was_not_begun_is_no_success(around: Surroundings, file: Path) -> None:
    file.write_text("{name: q, environment: staging, kind: tcp, config: {host: q, port: 1}}")
    [item] = read_declared([file.name], around)
    left = [Outcome(item=item, plan=Plan(actions=(Action.CREATE,)))]
    assert summary(left, dry_run=False) == Line("1 not begun", "bold", glyph="pending")
    assert summary(left, dry_run=True) == Line("1 planned (dry run: nothing was changed)", "bold", glyph="passed")


def test_ctrl_c_before_anything_was_sent_says_so(clearline: Clearline, gateway: FakeGateway, file: Path) -> None:
    def interrupt(_request: httpx2.Request) -> httpx2.Response:
        raise KeyboardInterrupt

    gateway.answers["GET", "/api/v1/connections"] = interrupt
    result = clearline("apply", "-f", file.name, env=SECRET)
    assert (result.code, result.out, wrote(gateway)) == (130, "", [])
    assert "Nothing was changed." in result.err
