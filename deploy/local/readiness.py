"""Whether a process answers, asked with a few bytes: the supervisor stays small without the client libraries."""

import asyncio
import json
import struct
from dataclasses import dataclass

TIMEOUT = 2.0
LONGEST_ANSWER = 64 * 1024  # bytes; ours are a few hundred
HALTED = "halted: "  # so begins the check of a consumer that only a person starts again


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process said. Not ready and without a reason: nothing that we understand."""

    ready: bool
    why_not: str = ""
    halted: bool = False
    """It takes nothing more until a person has looked and starts it again."""


async def answers(readiness: Readiness) -> bool:
    """Whether it is ready."""
    return (await ask(readiness)).ready


async def ask(readiness: Readiness) -> Answer:
    """Ask once, for at most 2 s. A refused, cut or silent connection is a no."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _ask(readiness)
    except (OSError, asyncio.IncompleteReadError, ValueError, struct.error):  # TimeoutError is an OSError
        return Answer(ready=False)


async def _ask(readiness: Readiness) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", readiness.port)
    try:
        match readiness:
            case KafkaAnswers():
                return Answer(ready=await _kafka(reader, writer))
            case PostgresAnswers():
                return Answer(ready=await _postgres(reader, writer))
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


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> Answer:
    writer.write(request.encode())
    status = (await reader.readline()).split()
    if len(status) > 1 and status[1] == b"200":
        return Answer(ready=True)
    while (await reader.readline()).strip():
        pass  # headers
    return refusal(await reader.read(LONGEST_ANSWER))


def refusal(body: bytes) -> Answer:
    """The checks that fail, from what `/health/ready` answers beside 503."""
    try:
        checks = json.loads(body)["checks"]
        failing = [(name, check["detail"]) for name, check in checks.items() if not check["ok"]]
        halted = any(detail.startswith(HALTED) for _, detail in failing)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Answer(ready=False)  # not our process, or not yet
    told = "; ".join(f"{name} {detail}" for name, detail in failing)
    return Answer(ready=False, why_not=" ".join(told.split()), halted=halted)
