"""Looking at connections, naming them, letting them go live and go: output forms and exit codes."""

from collections.abc import Callable

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

PROVEN = {"id": "v1", "revision": 1, "status": "verified", "steps": [], "expires_at": "2026-11-23T12:00:00Z"}


def test_a_list_follows_its_pages_and_is_one_line_each_in_a_pipe(clearline: Clearline, gateway: FakeGateway) -> None:
    for name in ("a", "b", "c", "d", "e"):
        gateway.add(name, verification=PROVEN)
    lines = clearline("connections", "list").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["development", name, "postgres", "inactive", "verified", "unknown", "1", "never"] for name in "abcde"
    ]
    assert lines[0].split()[:2] == ["ENVIRONMENT", "NAME"]
    assert all(line == line.rstrip() for line in lines)
    assert len(clearline("connections", "list", "--limit", "3", "-o", "json").json["items"]) == 3


def test_a_name_in_a_list_cannot_steer_the_terminal(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add("a\x1b[2Jb\nc")
    for tty in (False, True):
        shown = clearline("connections", "list", tty=tty, env={"NO_COLOR": "1"}).out
        assert "\x1b[2J" not in shown
        assert "a\N{REPLACEMENT CHARACTER}[2Jb c" in shown.replace("\n", "")


def test_an_empty_list_says_so_beside_the_result(clearline: Clearline) -> None:
    result = clearline("connections", "list")
    assert (result.code, len(result.out.splitlines())) == (0, 1)
    assert "no connections yet" in result.err


def test_show_tells_config_stored_secrets_and_both_revisions(clearline: Clearline, gateway: FakeGateway) -> None:
    live = {"revision": 1, "config": {"host": "old"}, "credentials": {}, "verification": PROVEN}
    gateway.add(lifecycle="active", revision=2, live_revision=1, staged_revision=2, live=live)
    shown = clearline("connections", "show", "warehouse").out
    assert "password = stored, changed 2026-11-01" in shown
    assert "2 (1 live, 2 staged)" in shown
    assert "Revision 1 stays live: host old" in shown


def test_show_puts_the_fields_in_one_order_whatever_the_store_makes_of_it(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    config = {"tls": "prefer", "host": "db", "port": 5432}
    gateway.add(config=config, credentials={"token": {"stored": True}, "password": {"stored": True}})
    first = clearline("connections", "show", "warehouse").out
    fields = [line.split()[1] for line in first.splitlines() if line.startswith(("  config", "  credentials"))]
    assert fields == ["host", "port", "tls", "password", "token"]
    next(iter(gateway.connections.values()))["config"] = dict(reversed(config.items()))
    assert clearline("connections", "show", "warehouse").out == first


def test_an_expired_proof_is_told_with_its_end_and_the_command_that_makes_a_new_one(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    expired = {"id": "v1", "revision": 2, "status": "expired", "steps": [], "expires_at": "2026-11-21T17:58:24Z"}
    gateway.add("a b", verification=expired)
    shown = clearline("connections", "show", "a b").out
    assert "The proof of revision 2 expired on 2026-11-21 17:58:24Z; verify again" in shown
    assert "clearline verify 'development/a b' --wait" in shown


@pytest.mark.parametrize("name", ["warehouse", "development/warehouse", "00000000-0000-4000-8000-000000000001"])
def test_a_connection_is_called_by_name_by_environment_and_name_or_by_id(
    clearline: Clearline, gateway: FakeGateway, name: str
) -> None:
    gateway.add()
    assert clearline("connections", "show", name).code == 0


def test_a_name_that_fits_two_exits_2_with_the_list(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    gateway.add(environment="production")
    result = clearline("activate", "warehouse")
    assert result.code == 2
    assert "development/warehouse" in result.err
    assert "production/warehouse" in result.err
    assert clearline("activate", "production/warehouse").code == 0
    gateway.add("two words")
    gateway.add("two words", environment="production")
    assert "Name it 'production/two words' (id" in clearline("activate", "two words").err


def test_a_name_that_fits_none_exits_2(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    result = clearline("verify", "ware")
    assert result.code == 2
    assert "There is no connection called ware." in result.err


def test_a_retired_connection_gives_its_name_away(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add(lifecycle="retired")
    gateway.add()
    assert "00000002" in clearline("connections", "show", "warehouse").out


def test_activation_tells_the_revision_that_is_live_and_its_refusal_exits_1(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    one = gateway.add()
    assert "revision 1 is live" in clearline("activate", "warehouse").out
    refusal = {"status": 409, "code": "CONNECTION_NOT_VERIFIED", "user_message": "Verify it first.", "remediation": []}
    gateway.answers["POST", f"/api/v1/connections/{one['id']}/activate"] = lambda _request: httpx2.Response(
        409, json=refusal
    )
    result = clearline("activate", "warehouse", "--revision", "1")
    assert result.code == 1
    assert "CONNECTION_NOT_VERIFIED: Verify it first." in result.err
    assert "Reference: cli-0123456789abcdef" in result.err
    as_json = clearline("activate", "warehouse", "-o", "json")
    assert (as_json.code, as_json.out) == (1, "")
    assert '"code": "CONNECTION_NOT_VERIFIED"' in as_json.err


def test_deactivation(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add(lifecycle="active", live_revision=1)
    assert "is inactive." in clearline("deactivate", "warehouse").out


def test_retiring_asks_for_the_name_unless_told_otherwise(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    assert clearline("connections", "retire", "warehouse").code == 2
    assert clearline("connections", "retire", "warehouse", tty=True, answers=("no\n",)).code == 2
    assert not [r for r in gateway.requests if r.method == "DELETE"]
    assert clearline("connections", "retire", "warehouse", tty=True, answers=("warehouse\n",)).code == 0
    assert clearline("connections", "retire", "warehouse", "--yes").code == 0
    assert [r.headers["if-match"] for r in gateway.requests if r.method == "DELETE"] == ['"1"', '"1"']


def test_history_tells_what_differs(clearline: Clearline, gateway: FakeGateway) -> None:
    one = gateway.add()
    entry = {
        "at": "2026-11-22T10:00:00.5Z",
        "principal": "ann",
        "action": "connection.edited",
        "before": {"config": {"port": 1, "host": "db"}},
        "after": {"config": {"port": 2, "host": "db"}, "credentials": {"password": "changed"}},
    }
    gateway.answers["GET", f"/api/v1/connections/{one['id']}/history"] = lambda _request: httpx2.Response(
        200, json={"items": [entry], "next_cursor": None}
    )
    line = clearline("connections", "history", "warehouse").out.splitlines()[1]
    assert "2026-11-22 10:00:00Z" in line
    assert "config.port: 1 → 2" in line
    assert "password" in line
    assert "host" not in line


def test_a_kind_is_shown_with_its_fields_and_permissions(clearline: Clearline) -> None:
    assert "PostgreSQL" in clearline("kinds").out
    shown = clearline("kinds", "postgres").out
    assert "disable|prefer|require" in shown
    assert "integer or array" in shown
    assert "Checks connect: Open a session." in shown
    unknown = clearline("kinds", "postgras")
    assert unknown.code == 2
    assert "Kinds: postgres" in unknown.err


@pytest.mark.parametrize(
    ("status", "code"), [(401, 2), (403, 2), (404, 2), (409, 1), (412, 1), (422, 2), (429, 2), (500, 3), (503, 3)]
)
def test_each_refusal_has_its_exit_code(clearline: Clearline, gateway: FakeGateway, status: int, code: int) -> None:
    gateway.answers["GET", "/api/v1/connections"] = lambda _request: httpx2.Response(
        status, json={"status": status, "code": "SOME_CODE", "user_message": "No.", "retry_after_seconds": 7}
    )
    result = clearline("connections", "list")
    assert result.code == code
    assert "SOME_CODE: No." in result.err
    assert "Try again in 7 s." in result.err


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(502, html="<h1>Bad gateway</h1>"),
        httpx2.Response(200, html="<h1>Welcome</h1>"),
        httpx2.Response(302, headers={"location": "https://elsewhere.example/"}),
    ],
)
def test_whoever_else_answers_is_not_taken_for_clearline(
    clearline: Clearline, gateway: FakeGateway, response: httpx2.Response
) -> None:
    gateway.answers["GET", "/api/v1/connections"] = lambda _request: response
    result = clearline("connections", "list")
    assert result.code == 3
    assert "http://127.0.0.1:8080" in result.err


def test_a_silent_gateway_after_a_command_is_not_told_as_not_done(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()

    def silent(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("timed out")

    gateway.answers["POST", "/api/v1/connections/00000000-0000-4000-8000-000000000001/activate"] = silent
    result = clearline("activate", "warehouse")
    assert result.code == 3
    assert "may have been carried out" in result.err


def _lost(_request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset")


def test_a_lost_connection_is_tried_again_under_the_same_key(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    path = "/api/v1/connections/00000000-0000-4000-8000-000000000001/activate"
    at_work = httpx2.Response(409, json={"code": "IDEMPOTENCY_KEY_IN_USE"})
    script: list[Callable[[httpx2.Request], httpx2.Response]] = [_lost, lambda _request: at_work]

    def losing(request: httpx2.Request) -> httpx2.Response:
        if script:
            return script.pop(0)(request)
        del gateway.answers["POST", path]
        return gateway._answer(request)

    gateway.answers["POST", path] = losing
    assert clearline("activate", "warehouse").code == 0
    keys = [each.headers["idempotency-key"] for each in gateway.requests if each.method == "POST"]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_what_has_no_key_is_not_sent_again(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    path = "/api/v1/connections/00000000-0000-4000-8000-000000000001"
    gateway.answers["DELETE", path] = _lost
    result = clearline("connections", "retire", "warehouse", "--yes")
    assert result.code == 3
    assert "may have been carried out" in result.err
    assert [each.method for each in gateway.requests].count("DELETE") == 1


def test_a_token_never_follows_a_redirect(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.answers["GET", "/api/v1/connections"] = lambda _request: httpx2.Response(
        307, headers={"location": "http://127.0.0.1:8080/api/v1/elsewhere"}
    )
    assert "sends requests elsewhere" in clearline("connections", "list").err
    assert len(gateway.requests) == 1


def test_no_owner_is_not_shown_as_somebody_called_nobody(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add(owner=None)
    told = clearline("connections", "show", "warehouse").out
    assert "nobody" not in told
    assert "(none)" in told


def test_a_name_that_looks_like_something_else_is_found_too(clearline: Clearline, gateway: FakeGateway) -> None:
    looks_like_an_id = "12345678-1234-4234-8234-123456789012"
    gateway.add(looks_like_an_id, "production")
    gateway.add("staging/x", "production")
    for name in (looks_like_an_id, f"production/{looks_like_an_id}", "staging/x", "production/staging/x"):
        shown = clearline("connections", "show", name, "-o", "json")
        assert (shown.code, shown.json["environment"]) == (0, "production"), name
    gateway.add("x", "staging")
    assert clearline("connections", "show", "staging/x", "-o", "json").json["name"] == "x", "the full form comes first"
    assert clearline("connections", "show", "production/staging/x", "-o", "json").json["name"] == "staging/x"
