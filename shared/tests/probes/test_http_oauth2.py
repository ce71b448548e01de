import base64
import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.harness.authority import Authority
from tests.harness.nowhere import closed_port

from clearline.catalogue import ClearlineError
from clearline.probes.forms import check_addresses, parse_config
from clearline.probes.ladder import Limits
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS
from clearline.testing.hostile_servers import Listening, answering, dripping, flooding, http_answer, serving, silent

SECRET = "hunter2 s3cret/+"
TOKEN = "eyJ.acc3ss-t0ken_c4nary"
ISSUED = {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}


def issuing(said: Any = ISSUED, status: str = "200 OK", *headers: str) -> Any:
    return answering(http_answer(status, "Content-Type: application/json", *headers, body=json.dumps(said).encode()))


async def reading_token(reader: Any, writer: Any, state: Listening) -> None:
    """A token server that reads the whole request, as real ones do."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    state.received += head + await reader.readexactly(size)
    writer.write(http_answer("200 OK", body=json.dumps(ISSUED).encode()))
    await writer.drain()


@pytest.mark.parametrize(
    ("lasts", "told"),
    [(3600, 3600), ("60", 60), (-1, None), (10**400, None), ([[[1]]], None), (None, None), (1e400, None), (True, None)],
)
async def test_how_long_a_token_lasts_is_told_in_seconds_or_not_at_all(
    climbing: Any, lasts: Any, told: int | None
) -> None:
    said = ISSUED | {"expires_in": lasts, "scope": lasts}
    async with serving(issuing(said)) as tokens, serving(answering(http_answer())) as service:
        verdict = await climbing("http", *form(service, tokens))
    assert verdict.status == "verified", verdict.failure
    assert next(step.evidence["expires_in"] for step in verdict.steps if step.name == "authenticate") == told
    msgspec.json.encode(verdict.steps)


def form(service: Listening, tokens: Listening, **changed: Any) -> tuple[dict[str, Any], dict[str, str]]:
    config = {
        "url": f"http://127.0.0.1:{service.port}/api",
        "auth": "oauth2",
        "token_url": f"http://127.0.0.1:{tokens.port}/oauth2/token?tenant=7",
        "client_id": "cl ient",
    }
    return config | changed, {"client_secret": SECRET}


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    assert SECRET not in str(verdict)
    assert TOKEN not in str(verdict)
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_a_token_is_fetched_once_presented_and_never_told(climbing: Any, way: str) -> None:
    echo = answering(http_answer("200 OK", f"Server: {TOKEN}", f"Content-Type: x/{TOKEN}"))
    async with serving(reading_token) as tokens, serving(echo) as service:
        wanted = {"client_authentication": way, "scope": "read write", "audience": "https://api.example.com"}
        verdict = await climbing("http", *form(service, tokens, **wanted))
        assert verdict.status == "verified", verdict.failure
        assert (tokens.connections, service.connections) == (1, 2)  # the rung `connect` came first
        head, _, body = tokens.received.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /oauth2/token?tenant=7 HTTP/1.1\r\n")
        pair = base64.b64encode(b"cl+ient:hunter2+s3cret%2F%2B")
        assert (b"Authorization: Basic " + pair in head) is (way == "basic")
        asked = b"grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.com"
        ours = b"&client_id=cl+ient&client_secret=hunter2+s3cret%2F%2B"
        assert body == asked + (ours if way == "post" else b"")
        assert f"Authorization: Bearer {TOKEN}\r\n".encode() in service.received
        assert SECRET.encode() not in service.received
    evidence = {step.name: step.evidence for step in verdict.steps}
    assert evidence["authenticate"]["expires_in"] == 3600
    assert evidence["authorize"]["scopes"] == {"read": True, "write": True}
    assert "[redacted]" in evidence["exercise"]["server"]
    assert TOKEN not in str(verdict)
    assert pair.decode() not in str(verdict)


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("invalid_client", "401 No", ("AUTH_REJECTED", "authenticate", "/credentials/client_secret")),
        ("invalid_client", "400 No", ("AUTH_REJECTED", "authenticate", "/credentials/client_secret")),
        ("invalid_scope", "400 No", ("PERMISSION_MISSING", "authorize", "/config/scope")),
        ("unauthorized_client", "400 No", ("PERMISSION_MISSING", "authorize", "/config/client_id")),
        ("access_denied", "403 No", ("PERMISSION_MISSING", "authorize", "/config/audience")),
        ("unsupported_grant_type", "400 No", ("AUTH_METHOD_UNSUPPORTED", "authenticate", "/config/token_url")),
        ("invalid_request", "400 No", ("OAUTH_TOKEN_REFUSED", "authenticate", "/config/token_url")),
        ("x" * 9000, "400 No", ("OAUTH_TOKEN_REFUSED", "authenticate", "/config/token_url")),
        ("server_error", "500 No", ("SERVER_UNAVAILABLE", "authenticate", "/config/token_url")),
        (None, "401 No", ("AUTH_REJECTED", "authenticate", "/credentials/client_secret")),
        (None, "404 No", ("UNEXPECTED_STATUS", "authenticate", "/config/token_url")),
        (None, "429 No", ("RATE_LIMITED_BY_REMOTE", "authenticate", "/config/token_url")),
        (None, "503 No", ("SERVER_UNAVAILABLE", "authenticate", "/config/token_url")),
        (None, "500 No", ("SERVER_UNAVAILABLE", "authenticate", "/config/token_url")),
        (None, "502 No", ("SERVER_UNAVAILABLE", "authenticate", "/config/token_url")),
        ("invalid_client", "200 OK", ("AUTH_REJECTED", "authenticate", "/credentials/client_secret")),
    ],
)
async def test_each_refusal_of_the_token_server_has_its_own_finding(
    climbing: Any, error: str | None, status: str, expected: Any
) -> None:
    said = {"error": error, "error_description": f"no {SECRET} for you"} if error else "no"
    async with serving(issuing(said, status)) as tokens, serving(silent) as service:
        verdict = await climbing("http", *form(service, tokens, scope="admin"))
        assert found(verdict) == expected
        assert service.connections == 1  # the rung `connect` alone


async def test_a_token_server_that_repeats_what_it_was_sent_tells_nobody(climbing: Any) -> None:
    pair = base64.b64encode(b"cl+ient:hunter2+s3cret%2F%2B").decode()
    said = {"error": "invalid_client", "error_description": f"bad header: Basic {pair}"}
    async with serving(issuing(said, "401 No")) as tokens, serving(silent) as service:
        verdict = await climbing("http", *form(service, tokens))
        assert pair.encode() in tokens.received
    assert "bad header" in verdict.failure.operator_detail
    assert pair not in str(verdict)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>Sign in</html>", "PROTOCOL_MISMATCH"),
        (b"[]", "PROTOCOL_MISMATCH"),
        (b"[" * 60_000, "PROTOCOL_MISMATCH"),
        (b'{"token_type": "bearer"}', "PROTOCOL_MISMATCH"),
        (b'{"access_token": "", "token_type": "bearer"}', "PROTOCOL_MISMATCH"),
        (b'{"access_token": "a\\r\\nX-Evil: 1", "token_type": "bearer"}', "PROTOCOL_MISMATCH"),
        (b'{"access_token": 7, "token_type": "bearer"}', "PROTOCOL_MISMATCH"),
        (b'{"access_token": "x", "token_type": "mac"}', "AUTH_METHOD_UNSUPPORTED"),
        (b'{"access_token": "x"}', "PROTOCOL_MISMATCH"),
        (b'{"access_token": "x", "token_type": 3}', "PROTOCOL_MISMATCH"),
        (b" " * 70_000, "RESPONSE_TOO_LARGE"),
        (b" " * 2_000_000, "RESPONSE_TOO_LARGE"),
        (gzip.compress(json.dumps(ISSUED).encode() + b" " * 50_000_000), "PROTOCOL_MISMATCH"),
    ],
)
async def test_an_answer_that_is_no_token_is_told_at_the_token_url(climbing: Any, body: bytes, code: str) -> None:
    headers = ["Content-Encoding: gzip"] if body[:2] == b"\x1f\x8b" else []
    async with serving(answering(http_answer("200 OK", *headers, body=body))) as tokens, serving(silent) as service:
        assert found(await climbing("http", *form(service, tokens))) == (code, "authenticate", "/config/token_url")


async def test_the_token_server_redirects_nobody_and_takes_no_time_or_room(climbing: Any) -> None:
    limits = Limits(step_seconds=0.5)
    async with serving(silent, host="127.0.0.2") as canary, serving(silent) as service:
        moved = answering(http_answer("307 Moved", f"Location: http://127.0.0.2:{canary.port}/token"))
        for behaviour, codes in (
            (moved, {"REDIRECTED"}),
            (silent, {"RESPONSE_TIMEOUT"}),
            (dripping, {"RESPONSE_TIMEOUT", "PROTOCOL_MISMATCH"}),
            (flooding, {"PROTOCOL_MISMATCH"}),
            (answering(http_answer("200 OK", f"Content-Length: {2 * 1024**3}")), {"RESPONSE_TOO_LARGE"}),
        ):
            async with serving(behaviour) as tokens:
                verdict = await climbing("http", *form(service, tokens), limits=limits)
            code, step, field = found(verdict)
            assert (code in codes, step, field) == (True, "authenticate", "/config/token_url"), verdict.failure
        assert canary.connections == 0


async def test_a_token_url_without_encryption_where_it_is_spoken(climbing: Any, tmp_path: Path) -> None:
    complaint = http_answer("400 No", body=b"The plain HTTP request was sent to HTTPS port")
    for behaviour, tls in ((silent, Authority().issue("localhost").server(tmp_path)), (answering(complaint), None)):
        async with serving(behaviour, tls=tls) as tokens, serving(silent) as service:
            verdict = await climbing("http", *form(service, tokens))
        assert found(verdict) == ("PROTOCOL_MISMATCH", "authenticate", "/config/token_url"), verdict.failure
        assert "http, but https" in verdict.failure.operator_detail


async def test_a_token_server_that_is_away_is_not_told_with_the_service_s_address(climbing: Any) -> None:
    with closed_port() as closed:
        async with serving(silent) as service:
            url = f"http://localhost:{service.port}"
            config, credentials = form(service, service, url=url, token_url=f"http://[::1]:{closed}/")
            verdict = await climbing("http", config, credentials)
    assert found(verdict) == ("CONNECTION_REFUSED", "authenticate", "/config/token_url")
    assert "127.0.0.1" not in verdict.failure.operator_detail


@pytest.mark.parametrize("host", ["127.0.0.2", "127.2", "localhost"])
async def test_a_token_server_at_a_forbidden_address_is_never_dialled(climbing: Any, host: str) -> None:
    async with serving(silent, host="127.0.0.2") as canary, serving(silent, port=canary.port) as service:
        verdict = await climbing(
            "http",
            *form(service, canary, token_url=f"http://{host}:{canary.port}/"),
            allow=("127.0.0.1",) if host != "localhost" else (),
        )
        assert verdict.failure.code == "ADDRESS_FORBIDDEN"
        if host != "localhost":
            assert found(verdict) == ("ADDRESS_FORBIDDEN", "authenticate", "/config/token_url")
        assert canary.connections == 0
        config = parse_config(
            KINDS["http"], form(service, canary, url="http://192.0.2.1/", token_url=f"http://{host}/")[0]
        )
        with pytest.raises(ClearlineError) as refused:
            check_addresses(KINDS["http"], config, OutboundPolicy.parse(["192.0.2.0/24"]))
        assert [error.pointer for error in refused.value.errors] == ["/config/token_url"]


async def test_what_the_service_says_to_the_token(climbing: Any) -> None:
    for status, expected in (
        ("401 No", ("OAUTH_TOKEN_NOT_ACCEPTED", "authenticate", "/config/audience")),
        ("403 No", ("PERMISSION_MISSING", "authorize", "/config/scope")),
        ("500 No", ("UNEXPECTED_STATUS", "exercise", "/config/expected_status")),
    ):
        async with (
            serving(issuing()) as tokens,
            serving(answering(http_answer(status, body=TOKEN.encode()))) as service,
        ):
            assert found(await climbing("http", *form(service, tokens))) == expected


async def test_each_scope_is_checked_on_its_own(climbing: Any) -> None:
    some = issuing(ISSUED | {"scope": "read list"})
    async with serving(some) as tokens, serving(answering(http_answer())) as service:
        verdict = await climbing("http", *form(service, tokens, scope="read write admin"))
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/scope")
    assert "write admin" in verdict.failure.message
    assert verdict.steps[4].evidence["scopes"] == {"read": True, "write": False, "admin": False}


async def test_the_token_server_is_trusted_as_the_service_is(climbing: Any, tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority("Stranger")
    trusted = {"ca_certificate": authority.pem}
    for issuer, code in ((authority, None), (stranger, "TLS_UNKNOWN_AUTHORITY")):
        context = issuer.issue("localhost").server(tmp_path)
        async with serving(issuing(), tls=context) as tokens, serving(answering(http_answer())) as service:
            secure = {"token_url": f"https://localhost:{tokens.port}/token"}
            verdict = await climbing("http", *form(service, tokens, **trusted, **secure))
            if code:
                assert found(verdict) == (code, "authenticate", "/config/token_url")
                assert tokens.received == b""
            else:
                assert verdict.status == "verified", verdict.failure


def test_the_form_asks_for_what_oauth2_needs() -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_config(KINDS["http"], {"url": "https://a.example/", "auth": "oauth2"})
    assert [error.pointer for error in refused.value.errors] == ["/config/client_id", "/config/token_url"]


@pytest.mark.parametrize(
    "changed",
    [
        {"token_url": "https://login2.example/t"},
        {"token_url": "https://login.example/u"},
        {"token_url": "http://login.example/t"},
        {"url": "https://b.example/"},
        {"ca_certificate": Authority().pem},
        {"auth": "bearer"},
    ],
)
def test_what_decides_who_gets_the_secret_is_in_the_destination(changed: dict[str, str]) -> None:
    http = KINDS["http"]
    one = {"url": "http://a.example/", "auth": "oauth2", "token_url": "https://login.example/t", "client_id": "c"}
    same = one | {"token_url": "HTTPS://LOGIN.example:443/t", "scope": "other"}
    assert http.destination(parse_config(http, one)) == http.destination(parse_config(http, same))
    assert http.destination(parse_config(http, one)) != http.destination(parse_config(http, one | changed))
