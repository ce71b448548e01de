"""Kafka's framing as a probe needs it: one request, one answer, nothing by itself. See docs/decisions/0035.

https://kafka.apache.org/protocol: a length of four bytes, a header, a body; the answer repeats the request's number.
"""

import asyncio
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from clearline.probes.probe import Climb, StepFailed

T = TypeVar("T")
MAX_FRAME = 256 * 1024
"""Of an answer: some 5,000 partitions."""
MAX_ITEMS = 8_192
"""Of an array. What is smaller than a partition fits in so often that reading it would hold up the loop."""
CLIENT = "clearline"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the number of the request and its version, before KIP-482 made headers flexible."""

    key: int
    version: int
    body: bytes = b""


class Answer:
    """Reads an answer from front to back; what goes past its end is no Kafka's."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int8(self) -> int:
        return self._taken(1)[0]

    def int16(self) -> int:
        return int.from_bytes(self._taken(2), "big", signed=True)

    def int32(self) -> int:
        return int.from_bytes(self._taken(4), "big", signed=True)

    def text(self) -> str:
        """A string, empty where it is null."""
        return self._taken(max(self.int16(), 0)).decode(errors="replace")

    def raw(self) -> bytes:
        """Bytes, none where they are null."""
        return self._taken(max(self.int32(), 0))

    def many(self, read: "Callable[[Answer], T]") -> list[T]:
        """An array. A count that is a lie ends where the answer does."""
        count = self.int32()
        if count > MAX_ITEMS:
            raise mismatch(f"it announces {count} of something, more than {MAX_ITEMS}")
        return [read(self) for _ in range(count)]

    def skip_numbers(self) -> None:
        """Past an array of int32."""
        self._taken(4 * max(self.int32(), 0))

    def _taken(self, size: int) -> bytes:
        begun, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise mismatch("its answer is shorter than it says")
        return self._data[begun : self._at]


class KafkaWire:
    """One connection. Requests go out one at a time, each after the answer to the one before."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0

    async def ask(self, request: Request) -> Answer:
        """Send a request and read its answer. What no Kafka sends raises `StepFailed`."""
        self._number += 1
        header = struct.pack("!hhi", request.key, request.version, self._number) + text(CLIENT)
        self._writer.write(packed(header + request.body))
        await self._writer.drain()
        answer = Answer(await self._frame())
        if answer.int32() != self._number:
            raise mismatch("it answered another request than ours")
        return answer

    async def _frame(self) -> bytes:
        [size] = struct.unpack("!i", await self._reader.readexactly(4))
        if size < 4 or (size > MAX_FRAME and self._number == 1):  # noqa: PLR2004 - the request's number alone
            raise mismatch("it begins with a length that is none")  # `HTTP` would be 1.2 GB
        if size > MAX_FRAME:
            raise StepFailed("RESPONSE_TOO_LARGE", field="/config/port", limit=MAX_FRAME)
        return await self._reader.readexactly(size)

    def close(self) -> None:
        """Cut the connection; nothing is under way between two requests."""
        self._writer.transport.abort()


async def open_wire(climb: Climb, address: str, port: int, name: str) -> KafkaWire:
    """A connection to a judged address, encrypted for `name` if the TLS rung left its context; cut with the climb."""
    context: ssl.SSLContext | None = climb.kept.get("tls")
    reader, writer = await asyncio.open_connection(
        address, port, ssl=context, server_hostname=name if context else None
    )
    climb.closing.callback(writer.transport.abort)
    return KafkaWire(reader, writer)


def packed(body: bytes) -> bytes:
    """Bytes after their length."""
    return struct.pack("!i", len(body)) + body


def text(value: str) -> bytes:
    """A string."""
    encoded = value.encode()
    return struct.pack("!h", len(encoded)) + encoded


def array(*values: str) -> bytes:
    """An array of strings."""
    return struct.pack("!i", len(values)) + b"".join(map(text, values))


def mismatch(why: str) -> StepFailed:
    """Something else than Kafka answers."""
    return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="Kafka", why=why)
