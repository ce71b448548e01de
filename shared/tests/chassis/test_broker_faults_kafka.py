"""The broker is killed, restarted and frozen under traffic: consumers go on by themselves, nothing is lost."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Batch, Received
from clearline.chassis.delivery import BusUnavailable
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import provision
from clearline.contracts.event import Event
from clearline.contracts.topics import TOPICS

MakeEvent = Callable[..., Event]


@pytest.mark.timeout(150)
async def test_a_killed_broker_costs_nothing(own_kafka: Any, make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=2)
    seen: dict[str, list[int]] = defaultdict(list)
    by_batch: set[int] = set()
    acknowledged: list[int] = []
    going = True

    async def one_by_one(received: Received) -> Outcome:
        assert received.event is not None
        seen[received.key].append(received.event.data.n)
        return Done()

    async def many(batch: Batch) -> Outcome:
        by_batch.update(received.event.data.n for received in batch.records if received.event is not None)
        return Done()

    async def traffic() -> None:
        n = 0
        while going:
            try:
                await bus.producer.publish(event(f"k{n % 9}", n), bus.topic)
            except BusUnavailable:
                continue
            acknowledged.append(n)
            n += 1
            await asyncio.sleep(0.005)

    watermark, batch = bus.watermark(one_by_one), bus.batch(many, group=f"{bus.group}-batch")
    async with running(watermark, batch):
        flowing = asyncio.create_task(traffic())
        await until(lambda: len(acknowledged) > 100)
        await own_kafka.kill()
        await own_kafka.start()
        before = len(acknowledged)
        await until(lambda: len(acknowledged) > before + 100, within=40)
        await own_kafka.restart()
        before = len(acknowledged)
        await until(lambda: len(acknowledged) > before + 100, within=40)
        going = False
        await flowing
        wanted = set(acknowledged)
        await until(lambda: {n for each in seen.values() for n in each} >= wanted, within=30)
        await until(lambda: by_batch >= wanted, within=30)
        await until(lambda: watermark.status().healthy and batch.status().healthy, within=30)
    for numbers in seen.values():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)
    assert await bus.buried() == []


@pytest.mark.timeout(120)
async def test_a_frozen_broker_is_told_and_survived(own_kafka: Any, make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=1)
    done: list[int] = []

    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        done.append(received.event.data.n)
        return Done()

    consumer = bus.watermark(handler)
    async with running(consumer):
        await bus.send(event("a", 0))
        await until(lambda: done == [0])
        await until(lambda: consumer.status().healthy)
        own_kafka.pause()
        try:
            await until(lambda: not consumer.status().healthy, within=15)
            assert "commit" in consumer.status().detail
            await until(lambda: consumer.status().phase.value == "starting", within=30)  # it joins anew by itself
        finally:
            own_kafka.resume()
        await until(lambda: consumer.status().healthy, within=60)
        await bus.send(event("a", 1))
        await until(lambda: done[-1] == 1, within=30)


@pytest.mark.timeout(90)
async def test_the_producer_waits_no_longer_than_it_says_and_recovers(
    own_kafka: Any, make: Any, event: MakeEvent
) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=1)
    await bus.producer.publish(event("a", 0), bus.topic)
    own_kafka.pause()
    try:
        await until(lambda: _refused_in_time(bus, event("a", 1)), within=30)  # a SIGSTOP may take a moment
        assert bus.producer.last_error
        began = time.monotonic()
        await bus.producer.stop(1)
        assert time.monotonic() - began < 5
    finally:
        own_kafka.resume()
    await until(lambda: _published(bus.producer, event("a", 2), bus), within=20)
    assert bus.producer.last_error is None
    await own_kafka.kill()
    starting = asyncio.create_task(own_kafka.start())
    await until(lambda: _published(bus.producer, event("a", 3), bus), within=30)
    await starting
    assert [r.value for r in await bus.read(bus.topic)].count(b'{"n":3}') >= 1


@pytest.mark.timeout(60)
async def test_what_was_cancelled_while_kafka_was_away_is_not_written_later(
    own_kafka: Any, make: Any, event: MakeEvent
) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=1)
    await bus.producer.publish(event("a", 0), bus.topic)
    await own_kafka.kill()
    link = bus.producer._link
    publishing = asyncio.create_task(bus.producer.publish(event("a", 1), bus.topic))
    # Queued in aiokafka, which tries without end; for a moment there may be no client, while one takes another's place.
    await until(lambda: link._current and link._current._message_accumulator._batches)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    await own_kafka.start()
    await until(lambda: _published(bus.producer, event("a", 2), bus), within=30)
    assert [record.value for record in await bus.read(bus.topic)] == [b'{"n":0}', b'{"n":2}']


@pytest.mark.timeout(60)
async def test_provisioning_waits_for_kafka(own_kafka: Any) -> None:
    settings, topics = (
        KafkaSettings(bootstrap_servers=(own_kafka.bootstrap,)),
        [replace(topic, name=unique("waited")) for topic in TOPICS],
    )
    await own_kafka.stop()
    waiting = asyncio.create_task(provision(topics, settings, SystemClock()))
    await own_kafka.start()
    assert len(await asyncio.wait_for(waiting, 30)) == len(topics)


async def _published(producer: Producer, event: Event, bus: Any) -> bool:
    try:
        await producer.publish(event, bus.topic)
    except BusUnavailable:
        return False
    return True


async def _refused_in_time(bus: Any, event: Event) -> bool:
    began = time.monotonic()
    refused = not await _published(bus.producer, event, bus)
    assert time.monotonic() - began < 7  # its limit in these tests is 5 s
    return refused
