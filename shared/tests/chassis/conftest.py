"""A topic, a dead-letter topic and a producer of one test's own, on the session's real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.harness.kafka import create_topic
from tests.harness.places import unique

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.cloudevents import to_record
from clearline.chassis.consumption import BatchHandler, KeyedHandler
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Outgoing, Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.watermark import WatermarkConsumer
from clearline.contracts.event import Body, Event, EventType
from clearline.contracts.topics import Topic


class Step(Body, frozen=True):
    n: int
    note: str = ""


STEPPED = EventType("clearline.test.stepped.v1", Step, "A step was taken.")


def stepped(key: str, n: int, note: str = "", identity: UUID | None = None) -> Event:
    return Event(
        id=identity or uuid4(),
        type=STEPPED,
        source="/clearline/test",
        subject=key,
        time=datetime.now(UTC),
        key=key,
        data=Step(n=n, note=note),
        correlation_id=f"correlation-{key}-{n}",
    )


@dataclass
class Bus:
    settings: KafkaSettings
    topic: Topic
    dead_letters: Topic
    producer: Producer
    group: str
    metrics: Metrics = field(default_factory=Metrics)
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def bootstrap(self) -> str:
        return self.settings.bootstrap_servers[0]

    async def send(self, *events: Event) -> None:
        receipts = await self.producer.publish_many([Outgoing(self.topic, to_record(event)) for event in events])
        assert {receipt.delivery.value for receipt in receipts} == {"acknowledged"}

    async def send_raw(
        self,
        value: bytes | None,
        key: bytes | None = b"k",
        headers: tuple[tuple[str, bytes], ...] = (),
        partition: int | None = None,
    ) -> None:
        async with raw_producer(self.bootstrap) as producer:
            await producer.send_and_wait(self.topic.name, value, key, partition, headers=list(headers))

    def batch(self, handler: BatchHandler, **options: Any) -> BatchConsumer:
        return BatchConsumer(handler=handler, **self._common(options))

    def watermark(self, handler: KeyedHandler, **options: Any) -> WatermarkConsumer:
        return WatermarkConsumer(handler=handler, **self._common(options))

    def _common(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "topics": [self.topic],
            "group": self.group,
            "producer": self.producer,
            "metrics": self.metrics,
            "clock": self.clock,
            "dead_letters": self.dead_letters,
            **options,
        }

    async def committed(self) -> dict[int, int]:
        async with raw_consumer(self.bootstrap, group_id=self.group) as consumer:
            places = [TopicPartition(self.topic.name, n) for n in range(self.topic.partitions)]
            consumer.assign(places)
            found = {place.partition: await consumer.committed(place) for place in places}
        return {number: offset for number, offset in found.items() if offset is not None}

    async def buried(self) -> list[Any]:
        """Every dead letter there is now."""
        return await self.read(self.dead_letters)

    async def read(self, topic: Topic) -> list[Any]:
        """Every record there is now."""
        return await read_all(self.bootstrap, topic)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


async def read_all(bootstrap: str, topic: Topic) -> list[Any]:
    async with raw_consumer(bootstrap) as consumer:
        places = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, 0)
        found: list[Any] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found


@asynccontextmanager
async def raw_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=4_000_000)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def raw_consumer(bootstrap: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **options)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def kafka_settings(bootstrap: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(bootstrap,), session_timeout_ms=2_000)


async def make_bus(bootstrap: str, *, partitions: int = 3, compacted: bool = False, max_bytes: int = 256 * 1024) -> Bus:
    name, dead = unique("steps"), unique("dead")
    policy: Literal["compact", "delete"] = "compact" if compacted else "delete"
    await create_topic(bootstrap, name, partitions=partitions, cleanup_policy=policy)
    await create_topic(bootstrap, dead)
    topic = Topic(
        name=name,
        purpose="Steps.",
        key="who steps",
        partitions=partitions,
        cleanup=policy,
        max_bytes=max_bytes,
        producers=("test",),
        consumers=("test",),
        types=(STEPPED,),
    )
    grave = Topic(
        name=dead, purpose="Dead.", key="any", partitions=1, max_bytes=1024 * 1024, producers=(), consumers=(), types=()
    )
    settings = kafka_settings(bootstrap)
    metrics = Metrics()
    producer = Producer(settings=settings, metrics=metrics, clock=SystemClock(), client_id="test", timeout=5)
    return Bus(settings, topic, grave, producer, unique("group"), metrics)


MakeBus = Callable[..., Awaitable[Bus]]


@pytest.fixture
async def make(kafka: str) -> AsyncIterator[MakeBus]:
    """`await make(partitions=…, compacted=…)`: a bus of one's own."""
    made: list[Bus] = []

    async def one(**options: Any) -> Bus:
        made.append(await make_bus(options.pop("bootstrap", kafka), **options))
        return made[-1]

    yield one
    for bus in made:
        await bus.producer.stop(2)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Readable failures: one line per event, no frames' locals."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer], cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()


@pytest.fixture
async def bus(make: MakeBus) -> Bus:
    return await make()


Running = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def running() -> Running:
    """`async with running(consumer, …)`: they run inside and are stopped, at the latest, on leaving."""

    @asynccontextmanager
    async def run(*consumers: Any, deadline: float = 10) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        try:
            yield
        finally:
            await asyncio.gather(*(consumer.stop(deadline) for consumer in consumers))
            await asyncio.gather(*tasks)

    return run


@pytest.fixture
def event() -> Callable[..., Event]:
    """`event(key, n)`: one event of the test's own type."""
    return stepped
