"""Topics of a test's own, events to put on them, and what lies on them in the end."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.harness.kafka import create_topic
from tests.harness.places import unique

from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts import connection as contract
from clearline.contracts.connection import BeatPolicy, ConnectionState, Revision
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic


def kafka_settings(bootstrap: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(bootstrap,), session_timeout_ms=2000)


def producer(bootstrap: str) -> Producer:
    return Producer(
        settings=kafka_settings(bootstrap), metrics=Metrics(), clock=SystemClock(), client_id=unique("test"), timeout=5
    )


async def own(bootstrap: str, topic: Topic, partitions: int = 3) -> Topic:
    """A topic like `topic` that only this test uses."""
    name = await create_topic(bootstrap, unique(topic.name), partitions=partitions, cleanup_policy=topic.cleanup)
    return dataclasses.replace(topic, name=name, partitions=partitions)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it lies in Kafka."""

    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: dict[str, str]

    @property
    def sequence(self) -> int:
        return int(self.headers["ce_sequence"])


async def everything_on(bootstrap: str, topic: Topic) -> list[Seen]:
    """All records of a topic up to its end as it is now, in order per partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[Seen] = []
        while await _behind(consumer, ends):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [_seen(record) for record in records]
        return found
    finally:
        await consumer.stop()


async def _behind(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for place, end in ends.items():
        if await consumer.position(place) < end:
            return True
    return False


def _seen(record: object) -> Seen:
    headers = {name: value.decode() for name, value in record.headers}  # type: ignore[attr-defined] # aiokafka is untyped
    return Seen(record.partition, record.offset, record.key.decode(), record.value, headers)  # type: ignore[attr-defined]


def configured(connection_id: UUID, sequence: int, *, padding: int = 0) -> Event:
    """A connection's state after its `sequence`-th change."""
    now = datetime.now(UTC)
    state = ConnectionState(
        connection_id=connection_id,
        name=f"after change {sequence}",
        environment="development",
        owner=None,
        kind="tcp",
        beat=BeatPolicy(),
        lifecycle="inactive",
        newest=Revision(number=1, config={"host": "127.0.0.1", "port": 1, "padding": "x" * padding}),
        changed_at=now,
        changed_by="test",
    )
    return Event(
        id=uuid4(),
        type=contract.CONFIGURED,
        source="/clearline/gateway",
        subject=str(connection_id),
        time=now,
        key=str(connection_id),
        data=state,
        correlation_id="corr-test-1",
        sequence=sequence,
    )
