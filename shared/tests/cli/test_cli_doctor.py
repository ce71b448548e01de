"""`doctor` and `tokens`: every finding says how to mend it, and no token is ever shown twice."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem

from clearline.cli.clock_skew import Sighting, certain_skew
from clearline.cli.expiry import expiry

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def test_all_well_exits_0(clearline: Clearline) -> None:
    result = clearline("doctor")
    assert result.code == 0
    for part in ("gateway is ready", "gateway kafka: up", "local-admin, admin in development", "agree"):
        assert part in result.out


def test_an_unreachable_gateway_exits_3_with_what_to_do(clearline: Clearline, gateway: FakeGateway) -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("Connection refused")

    gateway.answers["GET", "/health/ready"] = away
    result = clearline("doctor")
    assert result.code == 3
    assert "make up" in result.out


def test_a_refused_token_is_told_to_people(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.answers["POST", "/api/v1/tokens"] = lambda _request: httpx2.Response(
        422,
        json={
            "status": 422,
            "code": "VALIDATION_FAILED",
            "user_message": "Some fields need a correction.",
            "errors": [{"pointer": "/environments/0", "code": "ENVIRONMENT_UNKNOWN", "detail": "No such environment."}],
        },
    )
    result = clearline("tokens", "create", "--name", "a", "--role", "viewer", "--environment", "zz")
    assert result.code == 2
    assert "VALIDATION_FAILED: Some fields need a correction." in result.err
    assert "/environments/0 (ENVIRONMENT_UNKNOWN) No such environment." in result.err
    assert "{" not in result.err


def test_a_gateway_that_is_not_ready_exits_1_and_names_the_check(clearline: Clearline, gateway: FakeGateway) -> None:
    body = {"status": "not ready", "checks": {"postgres": {"ok": False, "detail": "no answer"}}}
    gateway.answers["GET", "/health/ready"] = lambda _request: httpx2.Response(503, json=body)
    result = clearline("doctor")
    assert result.code == 1
    assert "✕ gateway postgres: no answer" in result.out


def test_a_token_that_does_not_hold_exits_1(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.answers["GET", "/api/v1/session"] = lambda _request: httpx2.Response(
        401, json={"status": 401, "code": "TOKEN_EXPIRED", "user_message": "Your token has expired."}
    )
    result = clearline("doctor", "-o", "json")
    assert result.code == 1
    assert next(one for one in result.json if one["subject"] == "token")["level"] == "broken"


def test_clocks_apart_are_warned_of(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.date = NOW - timedelta(seconds=30)
    result = clearline("doctor")
    assert result.code == 0
    assert "behind this machine's" in result.out


def test_a_newer_gateway_is_warned_of(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.answers["GET", "/api/v1/version"] = lambda _request: httpx2.Response(200, json={"version": "9.9.9"})
    assert "Install version 9.9.9" in clearline("doctor").out


@pytest.mark.parametrize(
    ("ahead", "way", "at_least"),
    [(0.0, 0.01, 0.0), (0.9, 0.01, 0.0), (5.0, 0.1, 2.5), (-5.0, 0.1, -4.0), (5.0, 9.0, 0.0)],
)
def test_skew_is_only_told_as_far_as_it_is_certain(ahead: float, way: float, at_least: float) -> None:
    seen = []
    for offset in (0.0, 0.3, 0.7):
        sent = NOW + timedelta(seconds=offset)
        there = sent + timedelta(seconds=way / 2 + ahead)
        seen.append(Sighting(sent, there.replace(microsecond=0), sent + timedelta(seconds=way)))
    skew = certain_skew(seen)
    assert skew is not None
    assert abs(skew) <= abs(ahead)
    assert abs(skew) >= abs(at_least) - 1.1
    assert certain_skew([]) is None


def test_a_new_token_is_printed_once_as_json(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.answers["POST", "/api/v1/tokens"] = lambda _request: httpx2.Response(
        201, json={"id": "t1", "token": "clt_new", "role": "viewer"}
    )
    result = clearline("tokens", "create", "--name", "ci", "--role", "viewer", "--expires", "30d")
    assert result.json == {"id": "t1", "token": "clt_new"}
    assert "clt_new" not in result.err
    (body,) = gateway.sent("POST")
    assert body["expires_at"] == (NOW + timedelta(days=30)).isoformat()
    assert "environments" not in body


def test_tokens_are_listed_with_their_state_and_revoked_by_name(clearline: Clearline, gateway: FakeGateway) -> None:
    base = {"role": "viewer", "environments": ["development"], "created_at": NOW.isoformat(), "last_used_at": None}
    items = [
        {"id": "1", "name": "ci", "expires_at": None, "revoked_at": None, **base},
        {"id": "2", "name": "old", "expires_at": (NOW - timedelta(1)).isoformat(), "revoked_at": None, **base},
        {"id": "3", "name": "ci", "expires_at": None, "revoked_at": NOW.isoformat(), **base},
    ]
    gateway.answers["GET", "/api/v1/tokens"] = lambda _request: httpx2.Response(200, json={"items": items})
    gateway.answers["DELETE", "/api/v1/tokens/1"] = lambda _request: httpx2.Response(204)
    shown = clearline("tokens", "list").out.splitlines()
    assert [line.split()[-2] for line in shown[1:]] == ["valid", "expired", "revoked"]
    assert clearline("tokens", "revoke", "ci").code == 0
    assert clearline("tokens", "revoke", "nobody").code == 2


@pytest.mark.parametrize("text", ["0m", "yesterday", "2020-01-01T00:00:00Z", "2027-01-31", "2027-01-31T00:00:00"])
def test_an_expiry_that_is_no_time_ahead_is_refused(clearline: Clearline, gateway: FakeGateway, text: str) -> None:
    assert clearline("tokens", "create", "--name", "a", "--role", "viewer", "--expires", text).code == 2
    assert not gateway.sent("POST")


def test_an_expiry_may_be_a_time() -> None:
    assert expiry("2027-01-31T00:00:00Z", NOW) == datetime(2027, 1, 31, tzinfo=UTC)


def test_keys_that_do_not_open_are_told_and_only_to_whoever_may_mend_it(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    lost = {"key_id": "2222222222222222", "unreadable": 3}
    body = {"items": [lost], "envelopes_left": 3, "rotation": {"status": "finished"}}
    gateway.answers["GET", "/api/v1/keys"] = lambda _: httpx2.Response(200, json=body)
    result = clearline("doctor")
    assert result.code == 1
    assert "3 connections have credentials under key 2222222222222222" in result.out
    assert "3 credentials are sealed for other keys" in result.out
    gateway.answers["GET", "/api/v1/keys"] = lambda _: problem(403, "NOT_ALLOWED", "Not you.")
    assert clearline("doctor").code == 0


def test_the_audit_is_asked_for_what_was_meant(clearline: Clearline, gateway: FakeGateway) -> None:
    one = gateway.add()
    entry = {
        "id": 1,
        "at": "2026-01-01T00:00:00Z",
        "principal": "ci#1b9d6bcd",
        "action": "connection.edited",
        "object_type": "connection",
        "object_id": one["id"],
        "environment": "production",
        "correlation_id": "ref-1",
        "parts": ["owner"],
        "before": {"owner": None},
        "after": {"owner": "team"},
    }
    gateway.answers["GET", "/api/v1/audit"] = lambda _request: httpx2.Response(
        200, json={"items": [entry], "next_cursor": None}
    )
    result = clearline("audit", "--connection", "warehouse", "--actor", "ci#1b9d6bcd", "--since", "7d")
    assert result.code == 0
    assert all(word in result.out for word in ("ci#1b9d6bcd", "connection.edited", "owner: none", "team", "ref-1"))
    asked = gateway.requests[-1].url.params
    assert (asked["connection_id"], asked["actor"]) == (one["id"], "ci#1b9d6bcd")
    assert asked["since"] == "2026-11-15T12:00:00+00:00"
    assert clearline("audit", "--since", "yesterday").code == 2
    gateway.answers["GET", "/api/v1/audit"] = lambda _request: httpx2.Response(
        200, json={"items": [], "next_cursor": None}
    )
    assert "No entry fits." in clearline("audit", "--since", "7d").err


def test_the_last_admin_goes_only_when_that_is_said(clearline: Clearline, gateway: FakeGateway) -> None:
    identifier = "00000000-0000-4000-8000-00000000000a"
    gateway.answers["DELETE", f"/api/v1/tokens/{identifier}"] = lambda _request: httpx2.Response(204)
    assert clearline("tokens", "revoke", identifier, "--last-too").code == 0
    assert gateway.requests[-1].url.params["last_too"] == "true"
    assert clearline("tokens", "revoke", identifier).code == 0
    assert "last_too" not in gateway.requests[-1].url.params
