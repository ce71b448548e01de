"""The requests that a Kafka probe makes, and what of their answers it looks at: https://kafka.apache.org/protocol.

Versions before KIP-482 (flexible headers): every broker since 2.3 knows them, and Kafka 4 has kept them (KIP-896).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from clearline.probes.kafka_wire import Answer, KafkaWire, Request, array, packed, text

METADATA, FIND_COORDINATOR, DESCRIBE_GROUPS, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 10, 15, 17, 18, 36
TELLS_RIGHTS = 8
"""First version of Metadata that tells a topic's authorized operations (KIP-430), of Kafka 2.3."""
CREATES_NOTHING = 4
"""First version of Metadata that can be asked not to create the topic, of Kafka 0.11."""
UNTOLD = -(2**31)
"""In the place of authorized operations: the broker does not tell."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker as the cluster announces it."""

    node: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as this user sees it."""

    error: int
    name: str
    leaders: frozenset[int]
    """Nodes that lead its partitions; -1 where one has none."""
    operations: int
    """Bits of what is allowed, or UNTOLD."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Who belongs to the cluster, and the topics that were asked for."""

    id: str
    brokers: tuple[Broker, ...]
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as this user sees it."""

    error: int
    state: str
    members: int
    operations: int


async def versions(wire: KafkaWire) -> dict[int, int]:
    """Request → the newest version that the broker knows."""
    answer = await wire.ask(Request(API_VERSIONS, 0))
    answer.int16()
    return dict(answer.many(_version))


def _version(answer: Answer) -> tuple[int, int]:
    key, _oldest, newest = answer.int16(), answer.int16(), answer.int16()
    return key, newest


async def sasl_handshake(wire: KafkaWire, mechanism: str) -> tuple[int, list[str]]:
    """Error, and the mechanisms that are switched on."""
    answer = await wire.ask(Request(SASL_HANDSHAKE, 1, text(mechanism)))
    return answer.int16(), answer.many(Answer.text)


async def sasl_authenticate(wire: KafkaWire, token: bytes) -> tuple[int, str, bytes]:
    """Error, its text, and the server's token."""
    answer = await wire.ask(Request(SASL_AUTHENTICATE, 0, packed(token)))
    return answer.int16(), answer.text(), answer.raw()


async def metadata(wire: KafkaWire, version: int, topics: Sequence[str] = ()) -> Cluster:
    """The cluster and these topics; none is created. `version` is TELLS_RIGHTS or CREATES_NOTHING."""
    flags = b"\0\0\1" if version >= TELLS_RIGHTS else b"\0"  # create, rights on the cluster, rights on the topics
    answer = await wire.ask(Request(METADATA, version, array(*topics) + flags))
    answer.int32()
    brokers = answer.many(_broker)
    cluster_id = answer.text()
    answer.int32()
    return Cluster(cluster_id, tuple(brokers), tuple(answer.many(lambda one: _topic(one, version))))


def _broker(answer: Answer) -> Broker:
    found = Broker(answer.int32(), answer.text(), answer.int32())
    answer.text()  # rack
    return found


def _topic(answer: Answer, version: int) -> Topic:
    error, name, _internal = answer.int16(), answer.text(), answer.int8()
    leaders = answer.many(lambda one: _leader(one, version))
    return Topic(error, name, frozenset(leaders), answer.int32() if version >= TELLS_RIGHTS else UNTOLD)


def _leader(answer: Answer, version: int) -> int:
    _error, _partition, leader = answer.int16(), answer.int32(), answer.int32()
    if version >= TELLS_RIGHTS:
        answer.int32()  # epoch
    for _ in range(3 if version >= TELLS_RIGHTS else 2):  # replicas, in sync, offline
        answer.skip_numbers()
    return leader


async def coordinator(wire: KafkaWire, group: str) -> tuple[int, Broker]:
    """Error, and the broker that looks after a group."""
    answer = await wire.ask(Request(FIND_COORDINATOR, 1, text(group) + b"\0"))
    answer.int32()
    error = answer.int16()
    answer.text()
    return error, Broker(answer.int32(), answer.text(), answer.int32())


async def described_group(wire: KafkaWire, group: str) -> Group:
    """A group, asked of its coordinator. One that does not exist yet is `Dead`; its rights are told."""
    answer = await wire.ask(Request(DESCRIBE_GROUPS, 3, array(group) + struct.pack("!?", True)))
    answer.int32()
    [found] = answer.many(_group)
    return found


def _group(answer: Answer) -> Group:
    error, _name, state = answer.int16(), answer.text(), answer.text()
    answer.text(), answer.text()  # protocol type, protocol
    members = answer.many(_member)
    return Group(error, state, len(members), answer.int32())


def _member(answer: Answer) -> None:
    answer.text(), answer.text(), answer.text()
    answer.raw(), answer.raw()
