"""What a Redis may say when it cannot serve, what older ones say, and what none says: from stand-ins, word for word."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from clearline.probes.ladder import Limits
from clearline.probes.redis_wire import packed
from clearline.testing.hostile_servers import Behaviour, Listening, serving

PASSWORD = "s3cret-0f-the-shop"
HELLO_6 = b"*4\r\n$7\r\nversion\r\n$5\r\n6.0.1\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
GOOD = {"AUTH": b"+OK\r\n", "HELLO": HELLO_6, "PING": b"+PONG\r\n", "MULTI": b"+OK\r\n", "DISCARD": b"+OK\r\n"}


def redis_saying(answers: Mapping[str, bytes], otherwise: bytes = b"-ERR unknown command\r\n") -> Behaviour:
    """A stand-in that answers each command by its first word."""

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2].decode())
            state.received += " ".join(words).encode() + b"\n"
            writer.write(answers.get(words[0], otherwise))
            await writer.drain()

    return said


async def met(climbing: Any, behaviour: Behaviour, seconds: float = 2, **changed: Any) -> Any:
    async with serving(behaviour) as server:
        config = {"host": "127.0.0.1", "port": server.port, "user": "shop"} | changed
        verdict = await climbing("redis", config, {"password": PASSWORD}, limits=Limits(step_seconds=seconds))
        assert server.sent < 4 * 1024 * 1024
    assert PASSWORD not in str(verdict)
    return verdict


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        (b"-DENIED Redis is running in protected mode because", "CLIENT_NOT_ADMITTED", "/config/host"),
        (b"-ERR max number of clients reached", "SERVER_UNAVAILABLE", "/config/host"),
        (b"-LOADING Redis is loading the dataset in memory", "SERVER_UNAVAILABLE", "/config/host"),
        (b"-MASTERDOWN Link with MASTER is down and", "SERVER_UNAVAILABLE", "/config/host"),
        (b"-BUSY Redis is busy running a script.", "SERVER_UNAVAILABLE", "/config/host"),
        (b"-ERR wrong number of arguments for 'auth' command", "AUTH_METHOD_UNSUPPORTED", "/config/user"),
        (
            b"-NOPERM No permissions to run 'auth'",
            "AUTH_METHOD_UNSUPPORTED",
            "/credentials/password",
        ),
        (b"-ERR unknown command 'AUTH'", "AUTH_METHOD_UNSUPPORTED", "/credentials/password"),
        (b"-ERR invalid password", "AUTH_REJECTED", "/credentials/password"),
        (b"-ERR Client sent AUTH, but no password is set", "AUTH_REJECTED", "/credentials/password"),
        (b"-WRONGPASS invalid username-password pair: " + PASSWORD.encode(), "AUTH_REJECTED", "/credentials/password"),
        (b"-MOVED 3999 10.9.8.7:6381", "REDIRECTED", "/config/host"),
        (b"+YES", "PROTOCOL_MISMATCH", "/config/port"),
        (b":1", "PROTOCOL_MISMATCH", "/config/port"),
    ],
)
async def test_a_refusal_has_its_code_and_field(climbing: Any, said: bytes, code: str, field: str) -> None:
    verdict = await met(climbing, redis_saying({"AUTH": said + b"\r\n"}))
    assert (verdict.failure.code, verdict.failure.field) == (code, field), verdict.failure
    assert verdict.failure.step == "authenticate"
    assert "igning in worked" not in verdict.failure.message


async def test_a_server_that_knows_no_hello_is_asked_for_less(climbing: Any) -> None:
    old = {"AUTH": b"+OK\r\n", "PING": b"+PONG\r\n"}
    verdict = await met(climbing, redis_saying(old))
    assert verdict.status == "verified", verdict.failure
    assert verdict.steps[3].evidence == {"user": "shop", "password_sent": "unencrypted"}
    async with serving(redis_saying({"PING": b"-NOAUTH Authentication required.\r\n"})) as server:
        verdict = await climbing("redis", {"host": "127.0.0.1", "port": server.port})
    assert verdict.failure.code == "AUTH_REQUIRED"


async def test_the_password_goes_out_once_and_never_without_its_user(climbing: Any) -> None:
    async with serving(redis_saying({"AUTH": b"-ERR wrong number of arguments for 'auth' command\r\n"})) as server:
        config = {"host": "127.0.0.1", "port": server.port, "user": "shop"}
        await climbing("redis", config, {"password": PASSWORD})
    assert server.received.decode() == f"AUTH shop {PASSWORD}\n"
    assert server.connections <= 4  # to connect, to sign in, and to see whether TLS is spoken


async def test_a_cluster_that_keeps_the_key_elsewhere_grants_it_all_the_same(climbing: Any) -> None:
    answers = GOOD | {"GET": b"-MOVED 3999 10.9.8.7:6381\r\n"}
    verdict = await met(climbing, redis_saying(answers), commands=["get"], keys=["k"])
    assert verdict.status == "verified", verdict.failure
    assert verdict.steps[4].evidence["granted"] == ["GET on k"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"-OOM command not allowed when used memory > 'maxmemory'.", "SERVER_UNAVAILABLE"),
        (b"-MISCONF Redis is configured to save RDB snapshots, but", "SERVER_UNAVAILABLE"),
        (b"-CLUSTERDOWN Hash slot not served", "SERVER_UNAVAILABLE"),
        (b"-ERR unknown command 'SET'", "PERMISSION_MISSING"),
        (b"-NOPERM No permissions to access a key", "PERMISSION_MISSING"),
        (b"+OK", "PROTOCOL_MISMATCH"),
    ],
)
async def test_what_a_command_between_multi_and_discard_may_hear(climbing: Any, said: bytes, code: str) -> None:
    verdict = await met(climbing, redis_saying(GOOD | {"SET": said + b"\r\n"}), commands=["set"], keys=["k"])
    assert (verdict.failure.code, verdict.failure.step) == (code, "authorize")


HOSTILE = {
    "a string of a gibibyte": b"$1073741824\r\n" + b"x" * 100_000,
    "a length beyond all numbers": b"$" + b"9" * 4_000 + b"\r\n",
    "a length that is none": b"$-0x1\r\n",
    "lists in lists": b"*1\r\n" * 200_000,
    "a million items": b"*1000000\r\n" + b":1\r\n" * 1_000_000,
    "a line without an end": b"+" + b"x" * 1_000_000,
    "another alphabet of digits": "$٣\r\n".encode(),
    "zeros": b"\0" * 1_000_000,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "HELLO without values": b"*3\r\n*0\r\n:1\r\n$-1\r\n",
}


@pytest.mark.parametrize("word", HOSTILE)
async def test_bytes_that_no_redis_sends_cost_little(climbing: Any, word: str) -> None:
    verdict = await met(climbing, redis_saying(GOOD | {"HELLO": HOSTILE[word]}))
    if word != "HELLO without values":
        assert verdict.failure.code in {"PROTOCOL_MISMATCH", "RESPONSE_TOO_LARGE"}, verdict.failure


async def test_an_answer_that_ends_in_the_middle_is_a_server_that_hung_up(climbing: Any) -> None:
    async def ending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        await reader.read(100)
        writer.write(b"$100\r\nabc")
        await writer.drain()
        writer.close()

    verdict = await met(climbing, ending)
    assert verdict.failure.code in {"SERVER_CLOSED", "CONNECTION_RESET"}


async def test_an_answer_that_drips_ends_at_the_deadline(climbing: Any) -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
        await reader.read(100)
        writer.write(b"+")
        while True:
            writer.write(b"O")
            await asyncio.sleep(0.05)

    verdict = await met(climbing, dripping, seconds=0.4)
    assert verdict.failure.code == "RESPONSE_TIMEOUT"


async def test_the_connection_ends_with_the_climb(climbing: Any, opened: list[asyncio.StreamWriter]) -> None:
    assert (await met(climbing, redis_saying(GOOD))).status == "verified"
    assert [writer.transport.is_closing() for writer in opened] == [True]


def test_a_command_is_packed_as_the_protocol_has_it() -> None:
    assert packed(("SET", "größe", "")) == "*3\r\n$3\r\nSET\r\n$7\r\ngröße\r\n$0\r\n\r\n".encode()
