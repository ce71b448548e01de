"""Raw sockets against the protocol that both servers use: heads that go on for ever, drip, or never come."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from clearline.chassis.bounded_http import MAX_HEAD_BYTES, BoundedHttp
from clearline.chassis.listening import listen, server

GET = b"GET / HTTP/1.1\r\nhost: a\r\n"
SECONDS = 0.3


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body; `/deaf` does not read it; `/slow` takes its time."""
    size, more = 0, scope["path"] != "/deaf"
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * SECONDS)
    body = str(size).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(BoundedHttp, "head_seconds", SECONDS)
    async with serving() as number:
        yield number


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    listener = listen("127.0.0.1", 0, "NONE")
    made = server(echo, timeout_graceful_shutdown=1)
    running = asyncio.create_task(made.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        made.should_exit = True
        await running
        listener.close()


async def sent(port: int, *parts: bytes) -> tuple[list[int], bytes]:
    """Statuses of what comes back until the server closes, and all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    back = b""
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    with suppress(ConnectionError):
        async with asyncio.timeout(5):
            while part := await reader.read(65536):
                back += part
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", back)], back


@pytest.mark.parametrize(
    "head",
    [
        GET + b"x: " + b"a" * (MAX_HEAD_BYTES + 10_000),
        GET + b"x" * (MAX_HEAD_BYTES + 10_000),
        b"GET /" + b"a" * (MAX_HEAD_BYTES + 10_000),
        GET + b"".join(b"x%d: 1\r\n" % n for n in range(101)) + b"\r\n",
        b"\r\n" * (MAX_HEAD_BYTES // 2 + 10_000),
    ],
    ids=["value", "name", "url", "number", "nothing"],
)
async def test_a_head_without_end_is_refused(port: int, head: bytes) -> None:
    statuses, back = await sent(port, head)
    assert statuses == [431]
    assert json.loads(back.partition(b"\r\n\r\n")[2])["status"] == 431
    assert b"application/problem+json" in back


@pytest.mark.parametrize("trailers", [b"x: " + b"a" * (MAX_HEAD_BYTES + 10_000), b"x: 1\r\n" * 200])
async def test_trailers_are_bounded_too(port: int, trailers: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    async with asyncio.timeout(5):
        statuses, _ = await sent(port, head, trailers)
    assert statuses == []  # closed, and its handler told that the client is gone


async def test_a_head_that_drips_is_given_up(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dripping = asyncio.create_task(_drip(writer, GET + b"x: " + b"a" * 1_000))
    async with asyncio.timeout(10 * SECONDS):
        back = await reader.read()
    dripping.cancel()
    writer.close()
    assert back.startswith(b"HTTP/1.1 408 ")


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ((), []),
        ((b"GET /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",), [200]),
    ],
    ids=["silence", "body that nobody reads"],
)
async def test_a_connection_without_a_request_is_closed(port: int, parts: Any, statuses: list[int]) -> None:
    async with asyncio.timeout(10 * SECONDS):
        assert (await sent(port, *parts))[0] == statuses


async def test_empty_lines_do_not_keep_a_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET + b"\r\n")
    assert b" 200 " in await reader.readline()
    writer.write(b"\r\n")
    async with asyncio.timeout(10 * SECONDS):  # what ends an idle connection takes longer
        assert b"HTTP/1.1" not in await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FOO / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_told_so(port: int, junk: bytes) -> None:
    statuses, back = await sent(port, junk)
    assert statuses == [400]
    head, _, body = back.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    (reference,) = re.findall(rb"x-correlation-id: ([0-9a-f]{32})\r\n", head)
    assert json.loads(body)["correlation_id"] == reference.decode()


async def test_what_is_within_the_limits_is_served(port: int) -> None:
    near = b"".join(b"x%d: %s\r\n" % (n, b"a" * 300) for n in range(97))
    post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n" + b"a" * 200_000
    chunks = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 40_000 + b"0\r\n\r\n"
    last = GET + b"connection: close\r\n\r\n"
    statuses, back = await sent(port, GET + near + b"\r\n", post, chunks, last)
    assert statuses == [200] * 4
    assert b"\r\n\r\n200000" in back
    assert b"\r\n\r\n40000" in back


async def test_half_a_request_behind_a_slow_one_does_not_cut_it_off(port: int) -> None:
    statuses, _ = await sent(port, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n", GET)
    assert statuses[0] == 200


def test_both_servers_use_it() -> None:
    assert server(echo).config.http is BoundedHttp
