"""Whatever a connection or token is called: every command takes it, or says in a sentence why not."""

from typing import Any

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem

ODD = [
    "a/b",
    "development/x",
    "../tokens",
    "..",
    "%2e%2e",
    "a b",
    "?#&=",
    "größe ☃",
    "日本",
    "-dash",
    "--help",
    "0192f7a4-6000-7c6e-9b0a-2f1c7f0c2b02",
    "x" * 100,
]
COMMANDS: list[tuple[str, ...]] = [
    ("connections", "show"),
    ("connections", "history"),
    ("connections", "edit", "--owner", "me"),
    ("connections", "retire", "--yes"),
    ("verify",),
    ("activate",),
    ("deactivate",),
    ("export",),
    ("test", "--set", "port=1"),
]


SHOWN = [(COMMANDS[0], name) for name in ODD]
ACTED_ON = [(command, name) for command in COMMANDS[1:] for name in ("a/b", "-dash")]


@pytest.mark.parametrize(("command", "name"), [*SHOWN, *ACTED_ON])
def test_every_command_takes_every_name(
    clearline: Clearline, gateway: FakeGateway, command: tuple[str, ...], name: str
) -> None:
    one = gateway.add(name)
    history = f"/api/v1/connections/{one['id']}/history"
    gateway.answers["GET", history] = lambda _request: httpx2.Response(200, json={"items": [], "next_cursor": None})
    gateway.answers["POST", "/api/v1/connections:test"] = lambda _request: httpx2.Response(202, json={"test_id": "t"})
    gateway.answers["GET", "/api/v1/connection-tests/t"] = lambda _request: httpx2.Response(
        200, json={"id": "t", "status": "verified", "steps": []}
    )
    for given in (["--", name], [f"development/{name}"]):
        result = clearline(*command, *given)
        assert result.code == 0, result.err
    paths = {request.url.raw_path.partition(b"?")[0] for request in gateway.requests}
    known = (b"/api/v1/connections", b"/api/v1/connection-")
    assert all(path.startswith(known) for path in paths), "a name is no path"


@pytest.mark.parametrize("command", [("connections", "show"), ("export",)], ids=" ".join)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "The name is empty."),
        ("  ", "The name is empty."),
        ("a\nb", "characters that cannot be seen"),
        ("a\x1b[31mb", "characters that cannot be seen"),
        ("y" * 5000, "at most 100 characters"),
    ],
)
def test_what_no_connection_can_be_called_is_refused_before_anything_is_asked(
    clearline: Clearline, gateway: FakeGateway, command: tuple[str, ...], name: str, told: str
) -> None:
    result = clearline(*command, "--", name)
    assert (result.code, gateway.requests) == (2, [])
    assert told in result.err


def test_a_name_with_a_dash_is_not_taken_for_an_option_without_a_word(clearline: Clearline) -> None:
    result = clearline("connections", "show", "-dash")
    assert result.code == 2
    assert "behind two dashes: clearline connections show -- -name" in result.err
    assert "behind two dashes" not in clearline("doctor", "-x").err, "a command without a name has no such way out"


@pytest.mark.parametrize(
    "arguments", [("connections", "show"), ("verify",), ("kinds",), ("tokens", "revoke"), ("apply", "-f")]
)
def test_bytes_that_are_no_text_are_refused(
    clearline: Clearline, gateway: FakeGateway, arguments: tuple[str, ...]
) -> None:
    result = clearline(*arguments, b"\xff".decode("utf-8", "surrogateescape"))
    assert (result.code, gateway.requests) == (2, [])
    assert "is not UTF-8 text" in result.err


def token(identifier: str, name: str, **more: Any) -> dict[str, Any]:
    dates = {"created_at": "2026-11-01T00:00:00Z", "expires_at": None, "revoked_at": None, "last_used_at": None}
    return {"id": identifier, "name": name, "role": "viewer", "environments": ["staging"], **dates, **more}


FIRST, SECOND = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def tokens(gateway: FakeGateway) -> list[dict[str, Any]]:
    """What the gateway knows; a revocation is answered for those alone."""
    known: list[dict[str, Any]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        identifier = request.url.path.rpartition("/")[2]
        if any(one["id"] == identifier for one in known):
            return httpx2.Response(204)
        return problem(404, "TOKEN_NOT_FOUND", "There is no such token.")

    listed = {"next_cursor": None, "items": known}
    gateway.answers["GET", "/api/v1/tokens"] = lambda _request: httpx2.Response(200, json=listed)
    for identifier in (FIRST, SECOND):
        gateway.answers["DELETE", f"/api/v1/tokens/{identifier}"] = handle
    return known


def test_two_tokens_that_hold_are_told_apart_and_neither_is_revoked(
    clearline: Clearline, gateway: FakeGateway, tokens: list[dict[str, Any]]
) -> None:
    tokens += [token(FIRST, "ci", last_used_at="2026-11-20T10:00:00Z"), token(SECOND, "ci", role="admin")]
    result = clearline("tokens", "revoke", "ci")
    assert result.code == 2
    assert f"{FIRST}: viewer, created 2026-11-01 00:00:00Z, last used 2026-11-20 10:00:00Z" in result.err
    assert f"{SECOND}: admin, created 2026-11-01 00:00:00Z, last used never" in result.err
    assert not [request for request in gateway.requests if request.method == "DELETE"]
    assert clearline("tokens", "revoke", FIRST).code == 0


@pytest.mark.parametrize("gone", [{"expires_at": "2026-11-21T00:00:00Z"}, {"revoked_at": "2026-11-21T00:00:00Z"}])
def test_of_two_tokens_the_one_that_holds_is_meant_by_the_name(
    clearline: Clearline, tokens: list[dict[str, Any]], gone: dict[str, str]
) -> None:
    tokens += [token(FIRST, "ci", **gone), token(SECOND, "ci")]
    result = clearline("tokens", "revoke", "ci")
    assert (result.code, result.out) == (0, f"Token {SECOND} is revoked.\n")


def test_a_token_called_like_an_id_is_found_by_its_name(clearline: Clearline, tokens: list[dict[str, Any]]) -> None:
    tokens += [token(FIRST, SECOND)]
    result = clearline("tokens", "revoke", SECOND)
    assert (result.code, result.out) == (0, f"Token {FIRST} is revoked.\n")
