"""Servers that misbehave, on a port of this machine: what a probe must survive whatever it believes to talk to."""

import asyncio
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

BLOCK = 64 * 1024
TWO_GIB = 2 * 1024**3


@dataclass(slots=True)
class Listening:
    """A server that runs, and what has happened to it."""

    host: str
    port: int = 0
    connections: int = 0
    received: bytes = b""
    sent: int = 0


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Listening], Awaitable[None]]


@asynccontextmanager
async def serving(
    behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listening]:
    """Serve until the block ends, then cut every connection."""
    state = Listening(host)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await behaviour(reader, writer, state)
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    datagrams = await _hearing_datagrams(state)
    try:
        yield state
    finally:
        server.close()
        datagrams.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Ear(asyncio.DatagramProtocol):
    """Counts whoever knocks by UDP, and says nothing."""

    def __init__(self, state: Listening) -> None:
        self._state = state

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - whoever it is
        self._state.connections += 1
        self._state.received += data


async def _hearing_datagrams(state: Listening) -> asyncio.DatagramTransport:
    """On the same port, so that no kind reaches a canary unseen."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Ear(state), local_addr=(state.host, state.port))
    return transport


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, state: Listening) -> None:
    """Listens and never says anything."""
    while block := await reader.read(BLOCK):
        state.received += block


async def closing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
    """Accepts and closes."""
    writer.close()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
    """Waits for the first word and cuts the line."""
    await reader.read(1)
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """Two gibibytes of zeros after the first word."""
    await reader.read(1)
    await _flood(writer, state, b"\0")


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """A byte now and then, for ever: each read succeeds, the whole never ends."""
    await reader.read(1)
    while True:
        writer.write(b"H")
        await writer.drain()
        state.sent += 1
        await asyncio.sleep(0.02)


async def half_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _state: Listening) -> None:
    """The beginning of a TLS answer, then the end of the line."""
    await reader.read(1)
    writer.write(b"\x16\x03\x03\x40\x00\x02\x00")
    await writer.drain()
    writer.close()


def answering(answer: bytes) -> Behaviour:
    """One fixed answer to an HTTP request, whatever it asks."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        state.received += await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return answered


def http_answer(status: str = "200 OK", *headers: str, body: bytes = b"ok") -> bytes:
    """An HTTP/1.1 answer; a Content-Length is added where no header gives one."""
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close"]
    if not any(header.lower().startswith(("content-length", "transfer-encoding")) for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def announcing(head: bytes) -> Behaviour:
    """The beginning of an answer that promises much, and then as much as anybody takes."""

    async def announced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        await reader.read(1)
        writer.write(head)
        await _flood(writer, state)

    return announced


async def redirecting_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """Sends every HTTP request back to where it came to."""
    await answering(http_answer("302 Found", f"Location: http://{state.host}:{state.port}/"))(reader, writer, state)


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """A mail server: speaks first, and knows no command that is none of mail."""
    writer.write(b"220 mail.example.com ESMTP\r\n")
    while block := await reader.read(BLOCK):
        state.received += block
        writer.write(b"500 5.5.2 Error: command not recognized\r\n")
        await writer.drain()


def gzip_bomb(mebibytes: int = 256) -> bytes:
    """Zeros, a thousandth of their size."""
    packer = zlib.compressobj(9, wbits=31)  # 31: gzip's frame
    packed = [packer.compress(bytes(1024 * 1024)) for _ in range(mebibytes)]
    return b"".join([*packed, packer.flush()])


async def announcing_postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """Speaks as far as PostgreSQL's login, then announces a message of two gibibytes and begins to send it."""
    size = struct.unpack("!i", await reader.readexactly(4))[0]
    word = await reader.readexactly(size - 4)
    if word == struct.pack("!i", 80877103):
        writer.write(b"N")
        size = struct.unpack("!i", await reader.readexactly(4))[0]
        await reader.readexactly(size - 4)
    writer.write(b"R" + struct.pack("!ii", 8, 0) + b"S" + struct.pack("!i", TWO_GIB - 1))
    await _flood(writer, state)


async def _flood(writer: asyncio.StreamWriter, state: Listening, byte: bytes = b"x") -> None:
    while state.sent < TWO_GIB:
        writer.write(byte * BLOCK)
        await writer.drain()
        state.sent += BLOCK
