"""Answers made to keep us busy: none may hold the loop, on which everybody else is verified. `climbing` measures it."""

import asyncio
import itertools
import struct
from functools import cache
from typing import Any

import pytest
from shared.tests.probes.kind_samples import SECRET

from clearline.probes.http_token import MAX_TOKEN
from clearline.probes.ladder import Limits
from clearline.probes.redact import Redactor
from clearline.testing.hostile_servers import Behaviour, Listening, answering, http_answer, serving

BRIEF = Limits(step_seconds=4)
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def json_answer(body: bytes, status: str = "200 OK") -> bytes:
    return http_answer(status, "Content-Type: application/json", body=body)


@cache
def bodies() -> dict[str, bytes]:
    return {
        "deep lists": json_answer(b"[" * 64_000),
        "deep objects": json_answer(b'{"a":' * 12_000),
        "many keys": json_answer(b"{" + b",".join(b'"%d":1' % number for number in range(6_000)) + b"}"),
        "many lists": json_answer(b'{"a":[' + b",".join([b"[]"] * 20_000) + b"]}"),
        "a number": json_answer(b'{"a":' + b"9" * 60_000 + b"}"),
        "a long word": json_answer(b'{"message":"' + b"a" * 60_000 + b'"}', "400 No"),
        "many headers": b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 150_000 + b"Content-Length: 0\r\n\r\n",
        "small chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\na\r\n" * 160_000
        + b"0\r\n\r\n",
        "answers without an end": b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
        "answers to nobody": b"HTTP/1.1 204 No\r\n\r\n" * 50_000,
    }


@pytest.mark.parametrize("form", ["http", "oauth2", "supabase"])
@pytest.mark.parametrize("body", bodies())
async def test_words_that_take_long_to_read(climbing: Any, form: str, body: str) -> None:
    async with serving(answering(bodies()[body])) as server:
        url = f"http://127.0.0.1:{server.port}"
        kind, config, credentials = {
            "http": ("http", {"url": url}, {}),
            "oauth2": (
                "http",
                {"url": url, "auth": "oauth2", "token_url": f"{url}/t", "client_id": "c"},
                {"client_secret": SECRET},
            ),
            "supabase": ("supabase", {"url": url, "keys": "anon"}, {"anon_key": f"sb_publishable_{SECRET}"}),
        }[form]
        verdict = await climbing(kind, config, credentials, limits=BRIEF)
    assert verdict.failure is None or verdict.failure.code != "VERIFIER_FAILED", verdict.failure
    assert form == "http" or verdict.failure


def postgres_message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


LOGGED_IN = postgres_message(b"R", struct.pack("!i", 0))
CHATTER = {
    "settings": LOGGED_IN + postgres_message(b"S", b"a\0b\0") * 80_000,
    "notices": LOGGED_IN + postgres_message(b"N", b"SX\0Mx\0\0") * 70_000,
    "notices before the login": postgres_message(b"N", b"SX\0Mx\0\0") * 70_000,
    "a notice of many parts": LOGGED_IN + postgres_message(b"N", b"Zx\0" * 300_000 + b"\0"),
    "a refusal without an end": postgres_message(b"E", b"SERROR\0C28P01\0M" + b"x" * 900_000 + b"\0\0"),
    "news for nobody": LOGGED_IN + postgres_message(b"A", struct.pack("!i", 1) + b"a\0b\0") * 70_000,
}


def postgres_saying(words: bytes) -> Behaviour:
    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
        writer.write(words)
        await writer.drain()
        await reader.read()

    return said


@pytest.mark.parametrize("words", CHATTER)
async def test_a_database_that_talks_and_talks(climbing: Any, words: str) -> None:
    async with serving(postgres_saying(CHATTER[words])) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u", "tls": "disable"}
        verdict = await climbing("postgres", config, {"password": SECRET}, limits=Limits(step_seconds=1))
    assert verdict.failure.code in {"AUTH_REJECTED", "RESPONSE_TOO_LARGE", "RESPONSE_TIMEOUT", "PROTOCOL_MISMATCH"}


async def test_a_token_as_long_as_there_are(climbing: Any) -> None:
    """The redactor learns it in every spelling, on the loop."""
    token = "".join(itertools.islice(itertools.cycle("Aq7_Zx-3Lm9"), MAX_TOKEN - 64)) + "the-end-of-the-token"
    body = b'{"token_type": "bearer", "access_token": "%b"}' % token.encode()
    async with serving(answering(http_answer("200 OK", f"Server: {token[-2_000:]}", body=body))) as server:
        url = f"http://127.0.0.1:{server.port}"
        config = {"url": url, "auth": "oauth2", "token_url": f"{url}/t", "client_id": "c"}
        verdict = await climbing("http", config, {"client_secret": SECRET}, limits=BRIEF)
    assert verdict.status == "verified", verdict.failure
    assert "the-end-of-the-token" not in str(verdict)


def test_secrets_too_long_for_a_pattern_are_masked_and_nothing_else() -> None:
    long = "".join(f"{number:x}-" for number in range(3_000))
    redactor = Redactor([long])
    assert redactor.scrub(f"before {long} after") == "before [redacted] after"
    assert redactor.scrub("nothing of it") == "nothing of it"
