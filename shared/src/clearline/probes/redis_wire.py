"""The little of Redis's protocol (RESP2) that a probe speaks: one command, one answer, and nothing by itself.

Client libraries send words of their own, try again, and present a password to the default user where a server knows no
other; a probe may do none of that. See docs/decisions/0035.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TypeAlias

from clearline.probes.probe import Climb, StepFailed

MAX_LINE = 4_096
"""An error text of Redis has a few hundred characters."""
MAX_BULK = 64 * 1024
MAX_ITEMS = 1_024
MAX_DEPTH = 4
"""`HELLO` lists modules, each with a list of its arguments."""


@dataclass(frozen=True, slots=True)
class RedisError:
    """A server's refusal: `WRONGPASS invalid username-password pair or user is disabled.`."""

    text: str

    @property
    def code(self) -> str:
        """Its first word."""
        return self.text.partition(" ")[0]


Reply: TypeAlias = "str | int | RedisError | list[Reply] | None"


class RedisWire:
    """One connection. Commands go out one at a time, each after the answer to the one before."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._items = 0

    async def ask(self, *words: str) -> Reply:
        """Send a command and read its answer. What no Redis sends raises `StepFailed`."""
        self._writer.write(packed(words))
        await self._writer.drain()
        self._items = 0
        return await self._read(0)

    async def _read(self, depth: int) -> Reply:
        self._items += 1
        if self._items > MAX_ITEMS or depth > MAX_DEPTH:
            raise StepFailed("RESPONSE_TOO_LARGE", field="/config/port", limit=MAX_ITEMS)
        mark = await self._reader.readexactly(1)
        if mark not in (b"+", b"-", b":", b"$", b"*"):
            raise _mismatch(f"it answered with the byte {mark.hex()}")
        line = await self._line()
        match mark:
            case b"+":
                return line
            case b"-":
                return RedisError(line)
            case b":":
                return _number(line)
            case b"$":
                return await self._bulk(_number(line))
            case _:
                count = _number(line)
                return None if count < 0 else [await self._read(depth + 1) for _ in range(count)]

    async def _line(self) -> str:
        try:
            raw = await self._reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError:
            raise StepFailed("RESPONSE_TOO_LARGE", field="/config/port", limit=MAX_LINE) from None
        return raw[:-2].decode(errors="replace")

    async def _bulk(self, size: int) -> str | None:
        if size < 0:
            return None
        if size > MAX_BULK:
            raise StepFailed("RESPONSE_TOO_LARGE", field="/config/port", limit=MAX_BULK)
        raw = await self._reader.readexactly(size + 2)
        return raw[:-2].decode(errors="replace")


async def open_wire(climb: Climb) -> RedisWire:
    """A connection to the address that answered, encrypted if the TLS rung has left its context; cut with the climb."""
    context: ssl.SSLContext | None = climb.kept.get("tls")
    reader, writer = await asyncio.open_connection(
        climb.address,
        climb.endpoint.port,
        limit=MAX_LINE,
        ssl=context,
        server_hostname=climb.endpoint.host if context else None,
    )
    climb.closing.callback(writer.transport.abort)
    return RedisWire(reader, writer)


def packed(words: tuple[str, ...]) -> bytes:
    """A command as an array of bulk strings: https://redis.io/docs/latest/develop/reference/protocol-spec/."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _number(line: str) -> int:
    if len(line) > 20 or not (line.isascii() and line.removeprefix("-").isdecimal()):  # noqa: PLR2004 - digits of 64 bits, with a sign
        raise _mismatch("it sent a length that is none")
    return int(line)


def _mismatch(why: str) -> StepFailed:
    return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="Redis", why=why)
