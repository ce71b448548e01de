"""Whether a process answers, asked with a few bytes: the supervisor stays small without the client libraries."""

import asyncio
import struct
from dataclasses import dataclass

TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class KafkaAnswers:
    """A metadata request is answered with at least one broker."""

    port: int


@dataclass(frozen=True, slots=True)
class PostgresAnswers:
    """The server asks for a password; while it starts or recovers it sends an error instead."""

    port: int


@dataclass(frozen=True, slots=True)
class HttpAnswers:
    """GET `path` is answered with 200."""

    port: int
    path: str = "/health/ready"


Readiness = KafkaAnswers | PostgresAnswers | HttpAnswers


async def answers(readiness: Readiness) -> bool:
    """Ask once, for at most 2 s. A refused, cut or silent connection is a no."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _ask(readiness)
    except (OSError, asyncio.IncompleteReadError, ValueError, struct.error):  # TimeoutError is an OSError
        return False


async def _ask(readiness: Readiness) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", readiness.port)
    try:
        match readiness:
            case KafkaAnswers():
                return await _kafka(reader, writer)
            case PostgresAnswers():
                return await _postgres(reader, writer)
            case HttpAnswers(port, path):
                return await _http(
                    reader, writer, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                )
    finally:
        writer.close()


async def _kafka(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    # Metadata (3) version 4, correlation id 1, no client id; no topics, create none
    request = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">ib", 0, 0)
    writer.write(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    answer = await reader.readexactly(size)
    _correlation, _throttle, brokers = struct.unpack(">iii", answer[:12])
    return bool(brokers > 0)


async def _postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    body = struct.pack(">i", 3 << 16) + b"user\0clearline\0database\0postgres\0\0"  # protocol 3.0
    writer.write(struct.pack(">i", len(body) + 4) + body)
    return await reader.readexactly(1) == b"R"


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> bool:
    writer.write(request.encode())
    status = (await reader.readline()).split()
    return len(status) > 1 and status[1] == b"200"
