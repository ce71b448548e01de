"""`verify --wait` and the waiting of `create`: steps as they come, exit codes, failure in the catalogue's words."""

import json
from typing import Any

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

FAILED = {"name": "authenticate", "status": "failed", "duration_ms": 12.0, "evidence": {}}


def _verification(status: str, steps: int, **more: Any) -> dict[str, Any]:
    from_fixture = [
        {"name": "resolve", "status": "passed", "duration_ms": 0.4, "evidence": {"addresses": ["127.0.0.1"]}},
        {"name": "connect", "status": "passed", "duration_ms": 1234.0, "evidence": {}},
        {"name": "tls", "status": "skipped", "duration_ms": 0.0, "skipped_because": "tls is disable"},
    ]
    return {"id": "v1", "revision": 1, "status": status, "steps": from_fixture[:steps], "failure": None, **more}


FAILURE = {
    "code": "AUTH_REJECTED",
    "step": "authenticate",
    "field": "/credentials/password",
    "message": "The service did not accept the user or password.",
    "remediation": ["Check the user.", "Check the password."],
    "operator_detail": "28P01",
}


def test_steps_are_printed_once_each_in_a_pipe_and_success_exits_0(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [*(_verification("pending", n) for n in (0, 1, 1, 2)), _verification("verified", 3)]
    result = clearline("verify", "warehouse", "--wait")
    assert result.code == 0
    assert result.out.splitlines() == [
        "✓ resolve         0.4 ms  addresses 127.0.0.1",
        "✓ connect         1.23 s",
        "○ tls              skipped: tls is disable",
        "✓ Verified",
    ]
    assert "\x1b" not in result.out


def test_evidence_of_nothing_is_told_as_none(clearline: Clearline, gateway: FakeGateway) -> None:
    """A "missing" at the end of a line that is green would read as if something were."""
    evidence = {"granted": ["CONNECT on w"], "missing": [], "facts": {}}
    step = {"name": "authorize", "status": "passed", "duration_ms": 1.0, "evidence": evidence}
    gateway.add()
    gateway.script = [_verification("verified", 0) | {"steps": [step]}]
    assert "granted CONNECT on w, missing none, facts none\n" in clearline("verify", "warehouse", "--wait").out


def test_a_failure_tells_code_sentence_field_steps_reference_and_detail_and_exits_1(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    gateway.add()
    gateway.script = [_verification("failed", 2, failure=FAILURE)]
    result = clearline("verify", "warehouse", "--wait")
    assert result.code == 1
    for part in (
        "AUTH_REJECTED: The service did not accept",
        "Field: /credentials/password",
        "1. Check the user.",
        "2. Check the password.",
        "For operators: 28P01",
        "Reference: ref-verify",
    ):
        assert part in result.out


def test_a_viewer_is_told_no_operator_detail(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [_verification("failed", 2, failure={**FAILURE, "operator_detail": None})]
    assert "operators" not in clearline("verify", "warehouse", "--wait").out


@pytest.mark.parametrize("status", ["pending", "cancelled", "expired"])
def test_what_nobody_knows_exits_2(clearline: Clearline, gateway: FakeGateway, status: str) -> None:
    gateway.add()
    gateway.script = [_verification(status, 1)]
    assert clearline("verify", "warehouse", "--wait", "--timeout", "3").code == 2


@pytest.mark.parametrize(("steps", "told"), [(0, True), (1, False)])
def test_who_waited_and_saw_no_step_is_led_to_whether_anybody_verifies(
    clearline: Clearline, gateway: FakeGateway, steps: int, *, told: bool
) -> None:
    gateway.add()
    gateway.script = [_verification("pending", steps)]
    result = clearline("verify", "warehouse", "--wait", "--timeout", "3")
    assert (result.code, "Whether anybody verifies: clearline doctor" in result.err) == (2, told)


def test_json_prints_the_verification_object_and_nothing_else(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [_verification("pending", 1), _verification("failed", 2, failure=FAILURE)]
    result = clearline("verify", "warehouse", "--wait", "--output", "json")
    assert result.code == 1
    assert result.json == gateway.script[-1]
    assert result.err == ""


def test_without_wait_the_request_is_queued_and_nothing_is_polled(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    result = clearline("verify", "warehouse", "--revision", "1")
    assert (result.code, gateway.sent("POST")) == (0, [{"revision": 1}])
    assert "v1" in result.out
    assert not [one for one in gateway.requests if "verifications" in one.url.path]


def test_a_gateway_that_is_away_for_a_moment_is_asked_again(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [httpx2.ConnectError("refused"), httpx2.ReadError("reset"), _verification("verified", 3)]
    assert clearline("verify", "warehouse", "--wait").code == 0


def test_a_gateway_that_stays_away_exits_3_when_the_time_is_over(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [httpx2.ConnectError("refused")]
    result = clearline("verify", "warehouse", "--wait", "--timeout", "5")
    assert result.code == 3
    assert "CLEARLINE_UNREACHABLE" in result.err


@pytest.mark.parametrize("away", [True, False])
def test_json_has_a_problem_object_for_every_end_without_a_result(
    clearline: Clearline, gateway: FakeGateway, *, away: bool
) -> None:
    if away:
        gateway.answers["GET", "/api/v1/connections"] = _refuse_connection
    result = clearline("connections", "list", "--output", "json", env={} if away else {"CLEARLINE_TOKEN": None})
    problem = json.loads(result.err)
    assert problem["detail"] == problem["user_message"]
    assert problem["remediation"]
    if away:
        assert (result.code, problem["code"], problem["retryable"]) == (3, "CLEARLINE_UNREACHABLE", True)
        assert problem["type"] == "/docs/errors#CLEARLINE_UNREACHABLE"
    else:
        assert (result.code, problem["type"], problem["retryable"]) == (2, "about:blank", False)


def _refuse_connection(_request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("Connection refused")


def test_a_refusal_while_waiting_ends_the_wait(clearline: Clearline, gateway: FakeGateway) -> None:
    one = gateway.add()
    path = f"/api/v1/connections/{one['id']}/verifications/v1"
    gateway.answers["GET", path] = lambda _request: httpx2.Response(
        404, json={"status": 404, "code": "VERIFICATION_NOT_FOUND", "user_message": "Gone."}
    )
    result = clearline("verify", "warehouse", "--wait")
    assert result.code == 2
    assert len([seen for seen in gateway.requests if seen.url.path == path]) == 1


def test_on_a_terminal_the_steps_end_up_on_the_screen_in_colour(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.script = [_verification("pending", 1), _verification("verified", 3)]
    result = clearline("verify", "warehouse", "--wait", tty=True)
    assert result.code == 0
    assert "\x1b[32m" in result.out
    assert "Verified" in result.out


def test_no_color_is_obeyed(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    result = clearline("verify", "warehouse", "--wait", tty=True, env={"NO_COLOR": "1"})
    assert "\x1b[32m" not in result.out


def test_server_text_cannot_steer_the_terminal(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    hostile = {
        **FAILURE,
        "operator_detail": "\x1b[31mx",
        "message": "ok\x1b[2J\x1b]0;owned\x07\u202egnp.exe [bold]x[/bold]",
    }
    gateway.script = [_verification("failed", 1, failure=hostile)]
    shown = clearline("verify", "warehouse", "--wait", env={"NO_COLOR": "1"}).out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "[bold]x[/bold]" in shown
    as_json = clearline("verify", "warehouse", "--wait", "-o", "json")
    assert not {"\x1b", "\x07", "\u202e"} & set(as_json.out)
    assert as_json.json["failure"]["message"] == hostile["message"]
