"""Somebody else at the port, or encryption where none is expected: each kind says so, and does not wait for it."""

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from shared.tests.probes.kind_samples import SECRET
from tests.harness.authority import Authority

from clearline.testing.hostile_servers import (
    Behaviour,
    Listening,
    announcing,
    answering,
    http_answer,
    resetting,
    serving,
    silent,
)

POSTGRES = {"host": "127.0.0.1", "database": "d", "user": "u"}


def saying(words: bytes, *, first: bool = False, close: bool = False) -> Behaviour:
    """Says the same to everybody, once they have spoken or `first`, and waits."""

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        if not first:
            await reader.read(1)
        writer.write(words)
        await writer.drain()
        if not close:
            await reader.read()
            await asyncio.sleep(60)

    return said


OTHERS = {
    "a web server": saying(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", close=True),
    "a web server that waits": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "SSH": saying(b"SSH-2.0-OpenSSH_9.2\r\n", first=True),
    "mail": saying(b"220 mail.example.com ESMTP\r\n", first=True),
    "Redis": saying(b"-ERR Protocol error\r\n", close=True),
    "an error without an end": saying(b"E" + struct.pack("!i", 2**31 - 1)),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("tls", ["disable", "prefer", "require"])
async def test_no_postgres(climbing: Any, other: str, tls: str) -> None:
    async with serving(OTHERS[other]) as server:
        config = POSTGRES | {"port": server.port, "tls": tls}
        verdict = await climbing("postgres", config, {"password": SECRET})
        assert SECRET.encode() not in server.received
    assert (verdict.failure.code, verdict.failure.field) == ("PROTOCOL_MISMATCH", "/config/port"), verdict.failure


@pytest.mark.parametrize("tls", ["disable", "prefer", "require"])
async def test_postgres_that_has_no_process_left_is_no_other_protocol(climbing: Any, tls: str) -> None:
    """Its postmaster tells that in the words of the protocol before this one, without a length."""
    words = b"Ecould not fork new process for connection: Resource temporarily unavailable\n\0"
    async with serving(saying(words, first=True)) as server:
        verdict = await climbing("postgres", POSTGRES | {"port": server.port, "tls": tls}, {"password": SECRET})
    assert verdict.failure.code == "SERVER_UNAVAILABLE", verdict.failure


@pytest.mark.parametrize("other", OTHERS)
async def test_no_name_server(climbing: Any, other: str) -> None:
    async with serving(OTHERS[other]) as server:
        config = {"name": "example.com", "resolver": "127.0.0.1", "port": server.port, "transport": "tcp"}
        verdict = await climbing("dns", config)
    assert (verdict.failure.code, verdict.failure.field) == ("PROTOCOL_MISMATCH", "/config/port"), verdict.failure


@pytest.mark.parametrize("kind", ["http", "supabase"])
async def test_plain_http_where_encryption_is_spoken(climbing: Any, kind: str, tmp_path: Path) -> None:
    complaint = answering(http_answer("400 No", body=b"Client sent an HTTP request to an HTTPS server."))
    forms = {"http": ({}, {}), "supabase": ({"keys": "anon"}, {"anon_key": f"sb_publishable_{SECRET}"})}
    config, credentials = forms[kind]
    for behaviour, tls in ((silent, Authority().issue("localhost").server(tmp_path)), (complaint, None)):
        async with serving(behaviour, tls=tls) as server:
            verdict = await climbing(kind, config | {"url": f"http://127.0.0.1:{server.port}"}, credentials)
        assert (verdict.failure.code, verdict.failure.field) == ("PROTOCOL_MISMATCH", "/config/url"), verdict.failure
        assert "http, but https" in verdict.failure.operator_detail


async def test_a_proxy_that_speaks_plainly_to_its_server_is_no_fault_of_our_url(climbing: Any, tmp_path: Path) -> None:
    complaint = answering(http_answer("400 No", body=b"The plain HTTP request was sent to HTTPS port"))
    authority = Authority()
    async with serving(complaint, tls=authority.issue("localhost").server(tmp_path)) as server:
        config = {"url": f"https://localhost:{server.port}/", "ca_certificate": authority.pem}
        verdict = await climbing("http", config)
    assert verdict.failure.code == "UNEXPECTED_STATUS", verdict.failure


@pytest.mark.parametrize("auth", ["none", "bearer"])
async def test_an_answer_that_only_the_end_of_the_line_would_end(climbing: Any, auth: str) -> None:
    """The client library takes our cut at the budget for that end."""
    async with serving(announcing(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        config = {"url": f"http://127.0.0.1:{server.port}/", "auth": auth}
        verdict = await climbing("http", config, {"token": SECRET} if auth == "bearer" else {})
        assert server.sent < 32 * 1024 * 1024
    assert verdict.failure is not None
    assert verdict.failure.code == "RESPONSE_TOO_LARGE"


async def test_a_line_that_is_cut_is_told_as_cut(climbing: Any) -> None:
    async with serving(resetting) as server:
        verdict = await climbing("http", {"url": f"http://127.0.0.1:{server.port}/"})
    assert (verdict.failure.code, verdict.failure.step) == ("CONNECTION_RESET", "exercise")
