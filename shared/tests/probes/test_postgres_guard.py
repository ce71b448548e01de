"""asyncpg turns for ever on a message of type zero; these servers send it, before and behind encryption."""

import asyncio
import random
import ssl
import struct
from typing import Any

import pytest

from clearline.probes.ladder import Limits
from clearline.probes.postgres_guard import Framing
from clearline.testing.hostile_servers import Behaviour, Listening, serving

LOGGED_IN = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def postgres_saying(words: bytes, tls: ssl.SSLContext | None = None) -> Behaviour:
    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        if tls is not None:
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(tls)
        await reader.read(8)
        writer.write(words)
        await writer.drain()
        await reader.read()

    return said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (b"\0" * 100_000, "PROTOCOL_MISMATCH"),
        (b"\0\0\0\0\4" * 100, "PROTOCOL_MISMATCH"),
        (b"R\0\0\0\0", "PROTOCOL_MISMATCH"),
        (b"N\xff\xff\xff\xff", "PROTOCOL_MISMATCH"),
        (LOGGED_IN + b"N\xff\xff\xff\xff", "RESPONSE_TOO_LARGE"),
        (LOGGED_IN + b"\0\0\0\0\4" * 100, "PROTOCOL_MISMATCH"),
    ],
)
@pytest.mark.parametrize("tls", ["disable", "require"])
async def test_a_message_that_no_server_sends_cuts_the_connection(
    climbing: Any, self_signed: ssl.SSLContext, words: bytes, code: str, tls: str
) -> None:
    behaviour = postgres_saying(words, self_signed if tls == "require" else None)
    async with serving(behaviour) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u", "tls": tls}
        verdict = await climbing("postgres", config, {"password": "p"}, limits=Limits(step_seconds=2))
    assert verdict.failure.code == code, verdict.failure.operator_detail
    assert verdict.failure.step in {"authenticate", "authorize", "exercise"}


@pytest.mark.parametrize("rounds", [b"2147483647", b"100001", b"0", b"-1", b"999999999999999999999", b""])
async def test_more_rounds_of_scram_than_a_login_takes_are_not_begun(climbing: Any, rounds: bytes) -> None:
    async def asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        await reader.read(1000)
        writer.write(message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
        nonce = (await reader.read(1000)).partition(b",r=")[2]
        words = message(b"R", struct.pack("!i", 11) + b"r=" + nonce + b"1,s=QUFB,i=" + rounds)
        for piece in (words[:20], words[20:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)  # in two segments: the first is handed on
        await reader.read()

    async with serving(asking) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u", "tls": "disable"}
        verdict = await asyncio.wait_for(climbing("postgres", config, {"password": "p"}), 8)
    assert (verdict.failure.code, verdict.failure.step) == ("AUTH_METHOD_UNSUPPORTED", "authenticate")


# asyncpg's half-made connection trips in its own __del__ when a server states a version that is none.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
async def test_no_body_of_a_known_message_stops_the_loop(climbing: Any) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable, nothing secret
    for _ in range(25):
        kinds = [chance.choice(b"123ACDEGHIKNRSTVWZcdnstv") for _ in range(20)]
        words = b"".join(message(bytes([kind]), chance.randbytes(chance.randrange(40))) for kind in kinds)
        for prefix in (b"", LOGGED_IN):
            async with serving(postgres_saying(prefix + words)) as server:
                config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u", "tls": "disable"}
                limits = Limits(step_seconds=0.05)
                verdict = await asyncio.wait_for(climbing("postgres", config, {"password": "p"}, limits=limits), 5)
                assert verdict.status == "failed", words


def test_messages_are_followed_in_any_pieces() -> None:
    stream = LOGGED_IN + b"".join(message(b"S", bytes(size)) for size in (0, 1, 5, 1000, 3)) * 3
    for piece in (1, 2, 3, 4, 5, 7, 1000, len(stream)):
        framing = Framing()
        assert not [
            fault for at in range(0, len(stream), piece) if (fault := framing.fault_in(stream[at : at + piece]))
        ]
        fault = framing.fault_in(b"\0\0\0\0\4")
        assert fault is not None
        assert fault.code == "PROTOCOL_MISMATCH"
