"""A Kafka broker in name only: answers each request by its number, with what a test puts into its mouth."""

import asyncio
import struct
from collections.abc import Mapping, Sequence

from clearline.probes.kafka_messages import METADATA
from clearline.testing.hostile_servers import Behaviour, Listening


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("!h", len(raw)) + raw


def array(*items: bytes) -> bytes:
    return struct.pack("!i", len(items)) + b"".join(items)


def api_versions(newest: int = 12) -> bytes:
    return struct.pack("!h", 0) + array(struct.pack("!hhh", METADATA, 0, newest), struct.pack("!hhh", 18, 0, 4))


def topic(name: str, *, error: int = 0, leader: int = 1, operations: int = 0) -> bytes:
    partition = struct.pack("!hiii", 0, 0, leader, 0) + array() * 3
    return struct.pack("!h", error) + text(name) + b"\0" + array(partition) + struct.pack("!i", operations)


def cluster(brokers: Sequence[tuple[int, str, int]], *topics: bytes, name: str = "cluster-1") -> bytes:
    told = [struct.pack("!i", node) + text(host) + struct.pack("!ih", port, -1) for node, host, port in brokers]
    body = struct.pack("!i", 0) + array(*told) + text(name) + struct.pack("!i", 1)
    return body + array(*topics) + struct.pack("!i", 0)


def kafka_saying(answers: Mapping[int, bytes], *, raw: Mapping[int, bytes] | None = None) -> Behaviour:
    """A stand-in that answers each request by its number: with a body, or with `raw` bytes, frame and all."""

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            request = await reader.readexactly(size)
            state.received += request
            key, _version, number = struct.unpack("!hhi", request[:8])
            frame = struct.pack("!i", number) + answers.get(key, b"")
            writer.write((raw or {}).get(key) or struct.pack("!i", len(frame)) + frame)
            await writer.drain()

    return said


def a_group(*, error: int = 0, operations: int = 1 << 3 | 1 << 8) -> bytes:
    described = (
        struct.pack("!h", error) + text("g") + text("Dead") + text("") * 2 + array() + struct.pack("!i", operations)
    )
    return struct.pack("!i", 0) + array(described)


def coordinated_by(port: int, *, error: int = 0) -> bytes:
    return struct.pack("!ih", 0, error) + text("") + struct.pack("!i", 1) + text("127.0.0.1") + struct.pack("!i", port)
