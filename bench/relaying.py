"""P8: what the outbox costs on the way to Kafka, under load and when there is nothing else to do."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from bench.measuring import Figure, Pair, Run, Stopwatch, compare, percentile
from bench.servers import Servers
from bench.topics import KEYS, producing, progressed
from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.kafka import create_topic
from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.cloudevents import to_record
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import VERIFICATIONS, Topic
from gateway import outbox
from gateway.metrics import GatewayMetrics
from gateway.relay import POLL_SECONDS, Relay
from gateway.relay_session import LOCK

EVENTS = 20_000
SAMPLES = 100
_LOOK_SECONDS = 0.01  # each look goes through every metric
_AT_ONCE = 500


async def relaying(servers: Servers, scale: float) -> list[Figure]:
    """The relay against a bare producer, and how long one event takes through it on an idle machine."""
    amount = round(EVENTS * scale)
    async with servers.migrated() as database, database.connect() as owner:
        topic = await _topic(servers)
        loaded = await compare(
            lambda: relayed(servers, database, owner, topic, amount), lambda: produced(servers, topic, amount)
        )
        async with _running(servers, database, topic):
            idle = tuple([await _idle(servers, owner, topic, round(SAMPLES * scale)) for _ in range(5)])
    return [
        Figure(number="P8", what="bring the outbox to Kafka", floor="a bare idempotent producer", sense="at least",
               goal=0.25, pairs=loaded, unit="events/s"),
        Figure(number="P8", what="append to the outbox → consumed, idle, median", floor="one millisecond",
               sense="at most", goal=15, pairs=idle, unit="ms"),
    ]  # fmt: skip


async def relayed(
    servers: Servers, database: MigratedDatabase, owner: asyncpg.Connection, topic: Topic, amount: int
) -> Run:
    """From a full outbox to an empty one. The relay is connected before, and held back by its own lock until then."""
    for first in range(0, amount, _AT_ONCE):
        rows = [to_record(progressed(number)) for number in range(first, min(first + _AT_ONCE, amount))]
        headers = [[[name, value.decode()] for name, value in row.headers] for row in rows]
        await owner.executemany(
            "insert into outbox (topic, key, headers, value) values ($1, $2, $3, $4)",
            [(topic.name, (row.key or b"").decode(), told, row.value) for row, told in zip(rows, headers, strict=True)],
        )
    await owner.execute("select pg_advisory_lock($1)", LOCK)
    async with _running(servers, database, topic, poll_seconds=_LOOK_SECONDS) as metrics:
        await owner.execute("select pg_advisory_unlock($1)", LOCK)
        await until(lambda: metrics.get_sample_value("clearline_relay_leads") == 1, every=_LOOK_SECONDS)
        with Stopwatch() as watch:
            await until(lambda: _relayed(metrics, topic) == amount, within=120, every=_LOOK_SECONDS)
    assert not await owner.fetchval("select exists (select from outbox)")
    return watch.run(amount)


def _relayed(metrics: CollectorRegistry, topic: Topic) -> float:
    """Counted once they are deleted. Asking the table itself would read through all that was deleted, each time."""
    return metrics.get_sample_value("clearline_relay_events_total", {"topic": topic.name}) or 0


async def produced(servers: Servers, topic: Topic, amount: int) -> Run:
    """The same records, sent five hundred at a time and acknowledged by all replicas."""
    records = [to_record(progressed(number)) for number in range(amount)]
    producer: AIOKafkaProducer
    async with producing(servers.bootstrap) as producer:
        await producer.send_and_wait(topic.name, b"warm")
        with Stopwatch() as watch:
            for first in range(0, amount, _AT_ONCE):
                waiting = [
                    await producer.send(topic.name, record.value, record.key, headers=list(record.headers))
                    for record in records[first : first + _AT_ONCE]
                ]
                await asyncio.gather(*waiting)
    return watch.run(amount)


async def _topic(servers: Servers) -> Topic:
    name = await create_topic(servers.bootstrap, unique("bench"), partitions=VERIFICATIONS.partitions)
    return Topic(name=name, purpose="Bench.", key="any", producers=(), consumers=(), types=VERIFICATIONS.types)


@asynccontextmanager
async def _running(
    servers: Servers, database: MigratedDatabase, topic: Topic, poll_seconds: float = POLL_SECONDS
) -> AsyncIterator[CollectorRegistry]:
    settings, clock = KafkaSettings(bootstrap_servers=(servers.bootstrap,)), SystemClock()
    producer = Producer(settings=settings, metrics=Metrics(), clock=clock, client_id="bench")
    await producer.start()
    registry = CollectorRegistry()
    relay = Relay(
        dsn=database.login("clearline_relay"),
        publisher=producer,
        topics=[topic],
        metrics=GatewayMetrics(registry),
        clock=clock,
        poll_seconds=poll_seconds,
    )
    running = asyncio.create_task(relay.run())
    try:
        yield registry
    finally:
        relay.stop()
        await running
        await producer.stop(2)


async def _idle(servers: Servers, owner: asyncpg.Connection, topic: Topic, samples: int) -> Pair:
    """The median of milliseconds from the commit's begin to the consumer's hand, one event at a time."""
    took = []
    async with AIOKafkaConsumer(
        topic.name, bootstrap_servers=servers.bootstrap, enable_auto_commit=False, auto_offset_reset="latest"
    ) as consumer:
        await consumer.seek_to_end()
        for number in range(samples):
            began = time.perf_counter()
            await outbox.append(owner, topic, progressed(number % KEYS))
            await consumer.getone()
            took.append((time.perf_counter() - began) * 1000)
    return Pair(percentile(took, 0.5), 1.0)
