"""`clearline test`, `verify --cancel` and `connections erase`: what is sent, what is shown, how they end."""

import json
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem, verification

from clearline.cli.again import when_allowed
from clearline.cli.answers import Problem
from clearline.cli.ends import RefusedError

TEST = "/api/v1/connection-tests/t1"
FAILURE = {"code": "AUTH_REJECTED", "step": "authenticate", "message": "Refused.", "remediation": []}
FILE = """
connections:
  - {name: one, environment: development, kind: tcp, config: {host: one.example.com, port: 1}}
  - {name: two, environment: development, kind: tcp, config: {host: two.example.com, port: 2}}
"""


@pytest.fixture
def tested(gateway: FakeGateway) -> list[dict[str, Any] | BaseException]:
    """What a look at the test shows, one after the other; the last one stays."""
    script: list[dict[str, Any] | BaseException] = [verification("pending", 1), verification("verified", 3)]

    def look(_request: httpx2.Request) -> httpx2.Response:
        seen = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(seen, BaseException):
            raise seen
        return httpx2.Response(200, json=seen)

    started = {"test_id": "t1", "correlation_id": "ref-test"}
    gateway.answers["POST", "/api/v1/connections:test"] = lambda _: httpx2.Response(202, json=started)
    gateway.answers["GET", TEST] = look
    gateway.answers["DELETE", TEST] = lambda _: httpx2.Response(202, json=verification("pending", 1))
    return script


def by_host(gateway: FakeGateway, **ends: dict[str, Any]) -> None:
    """Each connection of `FILE` has its own test, with its own end."""

    def start(request: httpx2.Request) -> httpx2.Response:
        host = json.loads(request.content)["config"]["host"].partition(".")[0]
        return httpx2.Response(202, json={"test_id": host, "correlation_id": f"ref-{host}"})

    gateway.answers["POST", "/api/v1/connections:test"] = start
    for host, end in ends.items():
        gateway.answers["GET", f"/api/v1/connection-tests/{host}"] = partial(_answer, end)


def _answer(body: dict[str, Any], _request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json=body)


def methods(gateway: FakeGateway) -> list[str]:
    return [f"{one.method} {one.url.path.removeprefix('/api/v1')}" for one in gateway.requests]


def test_a_draft_is_sent_as_it_is_and_shown_step_by_step(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any]
) -> None:
    assert tested
    options = ("--environment", "staging", "--kind", "postgres", "--set", "host=db", "--secret", "password=${env:P}")
    result = clearline("test", *options, env={"P": "hidden"})
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == "staging/(unsaved postgres)"
    assert "✓ Verified" in result.out
    assert gateway.sent("POST") == [
        {
            "environment": "staging",
            "kind": "postgres",
            "config": {"host": "db"},
            "credentials": {"password": "hidden"},
        }
    ]


def test_a_change_of_a_saved_one_uses_what_is_stored(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any]
) -> None:
    assert tested
    saved = gateway.add()
    assert clearline("test", "warehouse", "--set", "port=5433").code == 0
    [sent] = gateway.sent("POST")
    values = {"config": {"host": "db", "port": 5433}, "credentials": {}}
    assert sent == {"id": saved["id"], "environment": "development", "kind": "postgres", **values}


def test_every_connection_of_a_file_is_tested_and_one_failure_exits_1(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any], tmp_path: Path
) -> None:
    assert tested
    by_host(gateway, one=verification("failed", 2, failure=FAILURE), two=verification("verified", 3))
    file = tmp_path / "two.yaml"
    file.write_text(FILE)
    result = clearline("test", "-f", str(file), "--output", "json")
    assert result.code == 1
    assert [(one["label"], one["status"]) for one in result.json] == [
        ("development/one", "failed"),
        ("development/two", "verified"),
    ]
    assert {sent["config"]["host"] for sent in gateway.sent("POST")} == {"one.example.com", "two.example.com"}
    shown = clearline("test", "-f", str(file)).out
    assert re.search(r"^development/one +tcp +failed +.* +authenticate +AUTH_REJECTED$", shown, re.MULTILINE), shown
    assert f"development/one ({file}:3)" in shown
    assert shown.endswith("✕ 1 of 2 connections not verified\n")
    assert clearline("test", "-f", str(file), "--only", "two").code == 0


@pytest.mark.parametrize("output", ["table", "json"])
def test_one_of_a_file_that_is_refused_keeps_no_other_from_its_test(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any], tmp_path: Path, output: str
) -> None:
    assert tested
    started = gateway.answers["POST", "/api/v1/connections:test"]
    waiting = [problem(429, "RATE_LIMITED", "Slower.", retry_after_seconds=1)]

    def some(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content)["config"]["host"].startswith("one"):
            return problem(422, "VALIDATION_FAILED", "Not this address.")
        return waiting.pop() if waiting else started(request)

    gateway.answers["POST", "/api/v1/connections:test"] = some
    (tmp_path / "two.yaml").write_text(FILE)
    result = clearline("test", "-f", "two.yaml", "--output", output)
    assert result.code == 1, result.err
    if output == "json":
        assert [one["status"] for one in result.json] == ["refused", "verified"]
        assert result.json[0]["problem"]["code"] == "VALIDATION_FAILED"
    else:
        assert result.out.index("development/two  tcp   verified") < result.out.index("Not this address.")


def test_several_of_a_file_are_tested_at_once(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any], tmp_path: Path
) -> None:
    assert tested
    both, started = threading.Barrier(2), gateway.answers["POST", "/api/v1/connections:test"]

    def together(request: httpx2.Request) -> httpx2.Response:
        both.wait(timeout=30)  # breaks, and with it the test, unless the other comes while this one waits
        return started(request)

    gateway.answers["POST", "/api/v1/connections:test"] = together
    (tmp_path / "two.yaml").write_text(FILE)
    result = clearline("test", "-f", "two.yaml")
    assert (result.code, result.out.splitlines()[-1]) == (0, "✓ 2 connections verified"), result.err


def test_ctrl_c_ends_all_tests_of_a_file(clearline: Clearline, gateway: FakeGateway, tmp_path: Path) -> None:
    def interrupted(_request: httpx2.Request) -> httpx2.Response:
        raise KeyboardInterrupt

    by_host(gateway, one=verification("pending", 1))
    gateway.answers["GET", "/api/v1/connection-tests/two"] = interrupted
    for host in ("one", "two"):
        gateway.answers["DELETE", f"/api/v1/connection-tests/{host}"] = partial(_answer, verification("pending"))
    (tmp_path / "two.yaml").write_text(FILE)
    result = clearline("test", "-f", "two.yaml", "--timeout", "600")
    assert (result.code, "cancelled; nothing was saved" in result.err) == (130, True)
    assert {"DELETE /connection-tests/one", "DELETE /connection-tests/two"} <= set(methods(gateway))


def test_ctrl_c_cancels(clearline: Clearline, gateway: FakeGateway, tested: list[Any]) -> None:
    tested[:] = [verification("pending", 1), KeyboardInterrupt()]
    gateway.add()
    result = clearline("test", "warehouse")
    assert result.code == 130
    assert "cancelled; nothing was saved" in result.err
    assert methods(gateway)[-1] == "DELETE /connection-tests/t1"


def test_what_takes_too_long_is_cancelled_and_exits_2(
    clearline: Clearline, gateway: FakeGateway, tested: list[Any]
) -> None:
    tested[:] = [verification("pending", 1)]
    gateway.add()
    result = clearline("test", "warehouse", "--timeout", "1")
    assert result.code == 2
    assert methods(gateway)[-1] == "DELETE /connection-tests/t1"


@pytest.mark.parametrize(
    "arguments", [("test",), ("test", "warehouse", "-f", "x.yaml"), ("test", "--kind", "postgres"), ("test", "nobody")]
)
def test_what_says_too_little_or_too_much_starts_nothing(
    clearline: Clearline, gateway: FakeGateway, arguments: tuple[str, ...]
) -> None:
    assert clearline(*arguments).code == 2
    assert gateway.sent("POST") == []


def test_a_running_verification_is_cancelled_by_name(clearline: Clearline, gateway: FakeGateway) -> None:
    saved = gateway.add()
    path = f"/connections/{saved['id']}/verifications/v1"
    gateway.answers["DELETE", f"/api/v1{path}"] = lambda _: httpx2.Response(202, json=verification("pending"))
    assert clearline("verify", "warehouse", "--cancel").code == 0
    assert methods(gateway)[-1] == f"DELETE {path}"
    saved["verification"] = verification("verified")
    assert "No verification" in clearline("verify", "warehouse", "--cancel").err


def test_erasing_asks_and_tells_why_not(clearline: Clearline, gateway: FakeGateway) -> None:
    saved = gateway.add(lifecycle="retired")
    path = f"/api/v1/connections/{saved['id']}:erase"
    gateway.answers["POST", path] = lambda _: httpx2.Response(200, json=saved)
    assert clearline("connections", "erase", saved["id"]).code == 2
    assert clearline("connections", "erase", saved["id"], tty=True, answers=("no",)).code == 2
    assert path not in [one.url.path for one in gateway.requests]
    assert "is erased" in clearline("connections", "erase", saved["id"], "--yes").out
    gateway.answers["POST", path] = lambda _: problem(409, "CONNECTION_NOT_RETIRED", "Retire it first.")
    refused = clearline("connections", "erase", saved["id"], "--yes", "--output", "json")
    assert refused.code == 1
    assert json.loads(refused.err)["code"] == "CONNECTION_NOT_RETIRED"


def test_too_many_tests_says_when_a_place_is_free(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.answers["POST", "/api/v1/connections:test"] = lambda _request: problem(
        429, "TOO_MANY_TESTS", "Ten of them run.", retry_after_seconds=58, retryable=True
    )
    result = clearline("test", "warehouse", "--set", "port=1")
    assert result.code == 2
    assert "TOO_MANY_TESTS: Ten of them run." in result.err
    assert "Try again in 58 s." in result.err


@pytest.mark.parametrize(("code", "slept"), [("TOO_MANY_TESTS", [2.0, 2.0]), ("RATE_LIMITED", [58.0, 58.0])])
def test_a_file_looks_for_a_free_place_sooner_and_keeps_to_a_rate_limit(code: str, slept: list[float]) -> None:
    """Most tests end in a second; the gateway tells when the first one does at the latest."""
    refusal = Problem(status=429, code=code, retry_after_seconds=58)
    answers = [RefusedError(refusal, {}), RefusedError(refusal, {})]
    waited: list[float] = []

    def send() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert when_allowed(send, waited.append) == "done"
    assert waited == slept
