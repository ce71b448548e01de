"""P1: what it costs to consume and validate an event, in order per key, committing the lowest unfinished one."""

import asyncio
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from bench.measuring import Countdown, Figure, Run, compare
from bench.servers import Servers
from bench.topics import filled
from tests.harness.places import unique

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Received
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.watermark import WatermarkConsumer
from clearline.contracts.topics import Topic
from clearline.contracts.verification import VerificationProgressed

EVENTS = 60_000
_COMMIT_EVERY_SECONDS = 0.5  # as often as the chassis does


async def consuming(servers: Servers, scale: float) -> list[Figure]:
    """Ours against a bare loop, and against FastStream as its documentation shows it; and these two."""
    topic = await filled(servers.bootstrap, round(EVENTS * scale))
    amount = round(EVENTS * scale)
    slow = max(1, amount // 10)  # FastStream per message would take minutes
    bare = await compare(lambda: ours(servers, topic, amount), lambda: floor(servers, topic, amount))
    peer = await compare(lambda: ours(servers, topic, amount), lambda: faststream(servers, topic, slow))
    reach = await compare(lambda: floor(servers, topic, amount), lambda: faststream(servers, topic, slow))
    what = "consume and validate one event: in order per key, watermark commits"
    return [
        Figure(number="P1", what=what, floor="a bare aiokafka loop with msgspec", sense="at least", goal=0.5,
               pairs=bare, unit="events/s"),
        Figure(number="P1", what=what, floor="FastStream per message with pydantic", sense="at least", goal=10,
               pairs=peer, unit="events/s"),
        Figure(number="P1", what="the bare loop itself: decode one event and no more, the most that could be reached",
               floor="FastStream per message with pydantic", sense="at least", goal=10, pairs=reach, unit="events/s"),
    ]  # fmt: skip


async def ours(servers: Servers, topic: Topic, amount: int) -> Run:
    """The chassis, with a handler that does nothing but count; from the first event to the last."""
    countdown = Countdown(amount)

    async def handle(_received: Received) -> Outcome:
        countdown.count()
        return Done()

    settings, metrics, clock = KafkaSettings(bootstrap_servers=(servers.bootstrap,)), Metrics(), SystemClock()
    producer = Producer(settings=settings, metrics=metrics, clock=clock, client_id="bench")
    consumer = WatermarkConsumer(
        settings=settings,
        topics=[topic],
        group=unique("bench"),
        handler=handle,
        producer=producer,
        metrics=metrics,
        clock=clock,
    )
    running = asyncio.create_task(consumer.run())
    measured = await countdown.run()
    await consumer.stop(5)
    await running
    await producer.stop(2)
    return measured


async def floor(servers: Servers, topic: Topic, amount: int) -> Run:
    """`getmany`, msgspec and a commit now and then: one after the other, no errors, no hand-over."""
    decode = msgspec.json.Decoder(VerificationProgressed).decode
    loop, next_commit, left, countdown = asyncio.get_running_loop(), 0.0, amount, Countdown(amount)
    async with _consumer(servers, topic) as consumer:
        while left > 0:
            polled = await consumer.getmany(timeout_ms=1_000, max_records=500)
            if polled:
                countdown.count(decoded := _decoded(polled, decode))
                left -= decoded
            if loop.time() >= next_commit:
                next_commit = loop.time() + _COMMIT_EVERY_SECONDS
                await consumer.commit()
    return await countdown.run()


def _decoded(polled: dict[TopicPartition, list[ConsumerRecord]], decode: Any) -> int:
    count = 0
    for records in polled.values():
        for record in records:
            decode(record.value)
        count += len(records)
    return count


def _consumer(servers: Servers, topic: Topic) -> Any:
    return AIOKafkaConsumer(
        topic.name,
        bootstrap_servers=servers.bootstrap,
        group_id=unique("bench"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


async def faststream(servers: Servers, topic: Topic, amount: int) -> Run:
    """A subscriber per message with a pydantic model, as its documentation begins."""
    from faststream.kafka import KafkaBroker  # noqa: PLC0415 - a peer, installed for the benchmarks alone
    from pydantic import BaseModel  # noqa: PLC0415

    class Told(BaseModel):
        verification_id: str
        connection_id: str | None
        revision: int | None
        number: int
        step: dict[str, Any]

    broker = KafkaBroker(servers.bootstrap, logger=None)
    countdown = Countdown(amount)

    @broker.subscriber(topic.name, group_id=unique("bench"), auto_offset_reset="earliest")
    async def handle(told: Told) -> None:
        del told
        countdown.count()

    await broker.start()
    measured = await countdown.run()
    await broker.stop()
    return measured
