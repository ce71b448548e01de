import asyncio
import base64
import gzip
import random
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from clearline.probes.forms import parse_config
from clearline.probes.http_form import dialled_url
from clearline.probes.ladder import Limits
from clearline.probes.registry import KINDS
from clearline.testing.hostile_servers import (
    Listening,
    announcing_postgres,
    answering,
    closing,
    dripping,
    flooding,
    half_handshake,
    http_answer,
    resetting,
    serving,
    silent,
)

SECRET = "hunter2-s3cret"


def url(server: Listening, path: str = "/health", scheme: str = "http", host: str = "127.0.0.1") -> dict[str, Any]:
    return {"url": f"{scheme}://{host}:{server.port}{path}"}


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


async def test_a_good_answer_is_verified_with_its_evidence(climbing: Any) -> None:
    async with serving(answering(http_answer("200 OK", "Server: test/1", "Content-Type: text/plain"))) as server:
        verdict = await climbing("http", url(server, "/a%20b?x=1&y=%2F"))
        assert verdict.status == "verified", verdict.failure
        assert server.received.startswith(b"GET /a%20b?x=1&y=%2F HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{server.port}".encode() in server.received
        assert b"Authorization" not in server.received
    by_name = {step.name: step for step in verdict.steps}
    assert [by_name[name].status for name in ("tls", "authenticate", "authorize")] == ["skipped"] * 3
    evidence = by_name["exercise"].evidence
    assert (evidence["status"], evidence["bytes"], evidence["server"]) == (200, 2, "test/1")


@pytest.mark.parametrize(
    ("config", "credentials", "header"),
    [
        ({"auth": "basic", "username": "ü"}, {"password": SECRET},
         b"Authorization: Basic " + base64.b64encode(f"ü:{SECRET}".encode())),
        ({"auth": "bearer"}, {"token": SECRET}, b"Authorization: Bearer " + SECRET.encode()),
        ({"auth": "api_key"}, {"api_key": SECRET}, b"X-API-Key: " + SECRET.encode()),
        ({"auth": "api_key", "header_name": "X-Key"}, {"api_key": SECRET}, b"X-Key: " + SECRET.encode()),
    ],
)  # fmt: skip
async def test_the_credential_is_presented_once_and_never_told(
    climbing: Any, config: dict[str, Any], credentials: dict[str, str], header: bytes
) -> None:
    async with serving(answering(http_answer("200 OK", f"Server: {SECRET}"))) as server:
        verdict = await climbing("http", url(server) | config, credentials)
        assert verdict.status == "verified", verdict.failure
        assert server.received.count(header + b"\r\n") == 1
        assert server.received.count(b"HTTP/1.1") == 1
    assert SECRET not in str(verdict)


@pytest.mark.parametrize(
    ("auth", "status", "expected"),
    [
        ("bearer", "401 Unauthorized", ("AUTH_REJECTED", "authenticate", "/credentials/token")),
        ("bearer", "403 Forbidden", ("PERMISSION_MISSING", "authorize", "/credentials/token")),
        ("none", "401 Unauthorized", ("AUTH_REJECTED", "exercise", "/config/auth")),
        ("none", "403 Forbidden", ("PERMISSION_MISSING", "exercise", "/config/auth")),
        ("bearer", "404 Not Found", ("UNEXPECTED_STATUS", "exercise", "/config/expected_status")),
        ("none", "500 Internal", ("UNEXPECTED_STATUS", "exercise", "/config/expected_status")),
        ("none", "503 Unavailable", ("SERVER_UNAVAILABLE", "exercise", "/config/url")),
        ("none", "429 Slow Down", ("RATE_LIMITED_BY_REMOTE", "exercise", "/config/url")),
    ],
)
async def test_each_status_has_its_own_finding(climbing: Any, auth: str, status: str, expected: Any) -> None:
    async with serving(answering(http_answer(status, "Retry-After: 7", body=SECRET.encode()))) as server:
        verdict = await climbing("http", url(server) | {"auth": auth}, {"token": SECRET} if auth == "bearer" else {})
    assert found(verdict) == expected
    assert SECRET not in str(verdict)


async def test_a_status_that_is_expected_is_right_whatever_it_is(climbing: Any) -> None:
    for status in (401, 403, 301, 503):
        async with serving(answering(http_answer(f"{status} X", "Location: /x"))) as server:
            config = url(server) | {"expected_status": status, "auth": "bearer"}
            assert (await climbing("http", config, {"token": "t"})).status == "verified"


async def test_a_redirect_is_told_and_not_followed(climbing: Any) -> None:
    async with serving(silent, host="127.0.0.2") as canary:
        location = f"Location: http://u:{SECRET}@127.0.0.2:{canary.port}/there?token={SECRET}"
        async with serving(answering(http_answer("302 Found", location))) as server:
            verdict = await climbing("http", url(server))
        assert found(verdict) == ("REDIRECTED", "exercise", "/config/url")
        assert "/there" in verdict.failure.operator_detail
        assert SECRET not in str(verdict)
        assert canary.connections == 0


async def test_a_redirect_to_nonsense_is_a_redirect(climbing: Any) -> None:
    async with serving(answering(http_answer("302 Found", "Location: http://[bad"))) as server:
        assert found(await climbing("http", url(server)))[0] == "REDIRECTED"


FRAGMENTS = [
    b"HTTP/1.1 ", b"HTTP/9.9 ", b"200 OK\r\n", b"301 x\r\n", b"\r\n", b"\n", b"\0", b"\xff" * 9, b": x\r\n",
    b"X: \r\n y\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length: 5, 6\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n", b"fffffffffffffffff\r\n",
    b"5;ext\r\nabcde\r\n", b"100 Continue\r\n\r\n", b"101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"Location: http://[bad\r\n", b"Retry-After: -9\r\n", b"Content-Type: ;;;\r\n", b"Set-Cookie: a\r\n",
    b"Connection: keep-alive\r\n",
]  # fmt: skip


async def test_no_answer_confuses_the_exchange(climbing: Any) -> None:
    chance = random.Random(3)  # noqa: S311 - repeatable, nothing secret
    for _ in range(80):
        words = b"".join(chance.choices(FRAGMENTS, k=chance.randrange(12))) + chance.randbytes(chance.randrange(20))
        begin = chance.choice([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\n", b""])
        async with serving(answering(begin + words)) as server:
            limits = Limits(step_seconds=0.5)
            verdict = await asyncio.wait_for(climbing("http", url(server), limits=limits), 5)
        assert verdict.failure is None or verdict.failure.code != "VERIFIER_FAILED", begin + words


async def test_an_answer_over_the_budget_is_refused_when_announced_and_when_streamed(climbing: Any) -> None:
    huge = http_answer("200 OK", f"Content-Length: {2 * 1024**3}")
    chunked = http_answer(
        "200 OK", "Transfer-Encoding: chunked", body=b"200000\r\n" + b"x" * 0x200000 + b"\r\n0\r\n\r\n"
    )
    for answer in (huge, chunked):
        async with serving(answering(answer)) as server:
            verdict = await climbing("http", url(server))
        assert found(verdict)[0] == "RESPONSE_TOO_LARGE"


async def test_nothing_is_decompressed(climbing: Any) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, 9)
    assert len(bomb) < 1_000_000
    async with serving(answering(http_answer("200 OK", "Content-Encoding: gzip", body=bomb))) as server:
        verdict = await climbing("http", url(server))
        assert b"Accept-Encoding: identity" in server.received
    assert verdict.status == "verified"
    assert verdict.steps[-1].evidence["bytes"] == len(bomb)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "PROTOCOL_MISMATCH"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "SERVER_CLOSED"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "PROTOCOL_MISMATCH"),
        (b"", "SERVER_CLOSED"),
    ],
)
async def test_what_is_no_whole_answer_is_told(climbing: Any, answer: bytes, code: str) -> None:
    async with serving(answering(answer)) as server:
        assert found(await climbing("http", url(server)))[0] == code


@pytest.mark.parametrize(
    ("behaviour", "codes"),
    [
        (silent, {"TLS_TIMEOUT"}),
        (closing, {"CONNECTION_RESET", "SERVER_CLOSED"}),
        (resetting, {"CONNECTION_RESET"}),
        (half_handshake, {"CONNECTION_RESET", "SERVER_CLOSED", "TLS_HANDSHAKE_FAILED"}),
        (flooding, {"TLS_NOT_SPOKEN"}),
        (dripping, {"TLS_NOT_SPOKEN"}),
        (answering(http_answer("400 Bad Request")), {"TLS_TIMEOUT", "TLS_NOT_SPOKEN"}),
        (announcing_postgres, {"TLS_NOT_SPOKEN", "TLS_TIMEOUT"}),
    ],
)
async def test_a_broken_handshake_is_told_on_the_rung_of_tls(climbing: Any, behaviour: Any, codes: set[str]) -> None:
    async with serving(behaviour) as server:
        verdict = await climbing("http", url(server, scheme="https"), limits=Limits(step_seconds=0.5))
    code, step, _ = found(verdict)
    assert (code in codes, step) == (True, "tls"), (code, verdict.failure.operator_detail)


def tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def test_a_certificate_is_checked_and_shown(climbing: Any) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    async with serving(answering(http_answer()), tls=tls(certificate)) as server:
        trusted = {"ca_certificate": authority.cert_pem.bytes().decode()}
        verdict = await climbing("http", url(server, scheme="https", host="localhost") | trusted)
        assert verdict.status == "verified", verdict.failure
        shown = verdict.steps[2].evidence
        assert (shown["tls_version"], shown["verified"]) == ("TLSv1.3", True)
        assert shown["certificate"]["names"] == ["localhost", "127.0.0.1"]
        assert shown["certificate"]["days_left"] > 0
        untrusted = await climbing("http", url(server, scheme="https", host="localhost"))
        assert found(untrusted) == ("TLS_UNKNOWN_AUTHORITY", "tls", "/config/url")


async def test_each_fault_of_a_certificate_has_its_own_finding(climbing: Any) -> None:
    authority = trustme.CA()
    old = authority.issue_cert("localhost", not_after=datetime(2021, 1, 1, tzinfo=UTC))
    other = authority.issue_cert("other.example.com")
    trusted = {"ca_certificate": authority.cert_pem.bytes().decode()}
    for certificate, code, said in (
        (old, "TLS_CERTIFICATE_EXPIRED", "2021"),
        (other, "TLS_WRONG_HOST", "other.example"),
    ):
        async with serving(answering(http_answer()), tls=tls(certificate)) as server:
            verdict = await climbing("http", url(server, scheme="https", host="localhost") | trusted)
        assert found(verdict)[:2] == (code, "tls")
        assert said in verdict.failure.operator_detail
        assert verdict.steps[2].evidence["certificate"]["not_after"]
        assert verdict.steps[2].evidence["verified"] is False


async def test_a_self_signed_certificate_is_its_own_finding(climbing: Any, self_signed: ssl.SSLContext) -> None:
    async with serving(answering(http_answer()), tls=self_signed) as server:
        verdict = await climbing("http", url(server, scheme="https", host="localhost"))
    assert found(verdict)[:2] == ("TLS_SELF_SIGNED", "tls")


async def test_plain_http_where_tls_is_spoken_is_told_and_where_it_is_not_neither(climbing: Any) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    async with serving(answering(http_answer()), tls=tls(certificate)) as server:
        encrypted = await climbing("http", url(server))
    async with serving(closing) as server:
        ill = await climbing("http", url(server))
    async with serving(answering(b"\x15\x03\x03\x00\x02\x02F")) as server:
        assert found(await climbing("http", url(server)))[0] == "PROTOCOL_MISMATCH"
        assert server.connections == 2  # `connect` and the exchange: the alarm said enough
    assert found(encrypted) == ("PROTOCOL_MISMATCH", "exercise", "/config/url")
    assert "speaks TLS" in encrypted.failure.operator_detail
    assert found(ill)[0] in {"SERVER_CLOSED", "CONNECTION_RESET"}


async def test_a_name_that_moves_after_the_first_look_up_is_judged_again(climbing: Any, moving_name: Any) -> None:
    async with (
        serving(silent, host="127.0.0.2") as canary,
        serving(answering(http_answer()), port=canary.port) as server,
    ):
        moving_name(["127.0.0.1"], ["127.0.0.2"])
        config = {"url": f"http://db.example.com:{server.port}/"}
        verdict = await climbing("http", config, allow=("127.0.0.1",))
        assert found(verdict)[0] == "ADDRESS_FORBIDDEN"
        assert canary.connections == 0


def test_what_is_dialled_is_what_was_judged() -> None:
    kind = KINDS["http"]
    for given, dialled in [
        ("HTTPS://EXAMPLE.com:443", "https://example.com/"),
        ("http://0x7f.1/x", "http://127.0.0.1/x"),
        ("http://[0:0::1]:81/?q=%41", "http://[::1]:81/?q=%41"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ]:
        assert dialled_url(parse_config(kind, {"url": given})) == dialled  # type: ignore[arg-type]  # the kind's own


async def test_what_a_server_repeats_as_noise_is_not_shown(climbing: Any) -> None:
    """The client library quotes what it cannot read: the header that we sent, as Python writes bytes."""
    secret = "Newcomer'S3cret\"Quote1"

    async def echoing(reader: Any, writer: Any, _: Any) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        header = next(line for line in asked.split(b"\r\n") if line.startswith(b"Authorization"))
        writer.write(b"HTTP/1.1 200 OK\r\n(" + header + b"\r\n\r\n")
        await writer.drain()

    for auth, field in (("bearer", "token"), ("basic", "password")):
        async with serving(echoing) as server:
            form = {"url": f"http://127.0.0.1:{server.port}/", "auth": auth}
            verdict = await climbing("http", form | ({"username": "joe"} if auth == "basic" else {}), {field: secret})
        assert verdict.failure.code == "PROTOCOL_MISMATCH"
        assert not [part for part in ("Newcomer", "am9l", "Authorization") if part in str(verdict)]
