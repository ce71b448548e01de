"""Watermark consumption on a real broker: order, concurrency, marks, control records, outages, poison."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis import correlation
from clearline.chassis.cloudevents import to_record
from clearline.chassis.consumption import Received
from clearline.chassis.lease import LeaseLost
from clearline.chassis.outcome import Dead, DeadReason, Done, Ill, Outcome, Retry
from clearline.chassis.topics import provision
from clearline.contracts.event import Event

MakeEvent = Callable[..., Event]


async def test_order_holds_per_key_while_keys_run_side_by_side(bus: Any, running: Any, event: MakeEvent) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    together, most = 0, 0

    async def handler(received: Received) -> Outcome:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.001 * (hash((received.key, received.offset)) % 7))
        assert received.event is not None
        seen[received.key].append(received.event.data.n)
        together -= 1
        return Done()

    await bus.send(*(event(f"k{n % 40}", n) for n in range(2_000)))
    consumer = bus.watermark(handler, concurrency=16, high=200)
    async with running(consumer):
        await until(lambda: sum(map(len, seen.values())) == 2_000, within=30)
        await until(lambda: consumer.status().healthy, what=str(consumer.status()))
        await until(lambda: bus.value("clearline_consumer_lag_records", topic=bus.topic.name, group=bus.group) == 0)
    for key, numbers in seen.items():
        assert numbers == sorted(numbers), key
    assert 8 <= most <= 16
    assert sum((await bus.committed()).values()) == 2_000


async def test_nothing_is_committed_over_unfinished_work(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    let_go, done = asyncio.Event(), []

    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        if received.event.data.note == "slow":
            await let_go.wait()
        done.append(received.offset)
        return Done()

    await bus.send(*(event(f"k{n}", n, "slow" if n == 7 else "") for n in range(300)))
    async with running(bus.watermark(handler)):
        await until(lambda: len(done) == 299)
        await until(lambda: committed_to(bus, 7))
        await bus.send(event("later", 300))
        await until(lambda: len(done) == 300)
        assert await bus.committed() == {0: 7}
        let_go.set()
        await until(lambda: committed_to(bus, 301))


async def test_a_stop_hands_back_what_does_not_end_in_time(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    started, done = [], []

    async def handler(received: Received) -> Outcome:
        started.append(received.offset)
        if received.offset == 3:
            await asyncio.Event().wait()
        done.append(received.offset)
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(10)))
    async with running(bus.watermark(handler), deadline=4):
        await until(lambda: len(done) == 9)
    assert await bus.committed() == {0: 3}

    async def quick(received: Received) -> Outcome:
        done.append(received.offset)
        return Done()

    async with running(bus.watermark(quick)):
        await until(lambda: committed_to(bus, 10))
    assert done[9] == 3


async def test_back_pressure_pauses_and_goes_on(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    gate, started = asyncio.Event(), []

    async def handler(received: Received) -> Outcome:
        started.append(received.offset)
        await gate.wait()
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(1_000)))
    consumer = bus.watermark(handler, concurrency=8, high=100)
    async with running(consumer):
        await until(lambda: len(started) == 8)
        lanes = next(iter(consumer._lanes.values()))
        await until(lambda: lanes.paused)
        assert len(lanes.above) <= 200
        assert consumer.status().in_flight == 8
        gate.set()
        await until(lambda: committed_to(bus, 1_000))


async def test_control_records_overtake_their_key(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    cancelled = asyncio.Event()
    handled = []

    def control(received: Received) -> bool:
        if received.event is not None and received.event.data.note == "cancel":
            cancelled.set()
            return True
        return False

    async def handler(received: Received) -> Outcome:
        handled.append(received.offset)
        await cancelled.wait()
        return Done()

    await bus.send(event("a", 0), event("a", 1), event("a", 2, "cancel"))
    async with running(bus.watermark(handler, control=control)):
        await until(lambda: committed_to(bus, 3))
    assert handled == [0, 1]


async def test_an_ill_world_is_waited_for_and_buries_nobody(bus: Any, running: Any, event: MakeEvent) -> None:
    well, tries, done = False, 0, []

    async def handler(received: Received) -> Outcome:
        nonlocal tries
        if not well:
            tries += 1
            raise ConnectionError("the database is away")
        done.append(received.key)
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(50)))
    consumer = bus.watermark(handler)
    async with running(consumer):
        await until(lambda: tries >= 4)
        assert tries < 25  # new work waits: only the first ones find out whether the world is well
        status = consumer.status()
        assert (status.phase.value, status.healthy) == ("waiting", False)
        assert "ConnectionError" in status.detail
        assert bus.value("clearline_consumer_waiting", group=bus.group) == 1
        await bus.send(*(event(f"later{n}", n) for n in range(5)))
        well = True
        await until(lambda: len(done) == 55)
        await until(lambda: consumer.status().healthy)
    assert await bus.buried() == []
    assert bus.value("clearline_consumer_waiting", group=bus.group) == 0


async def test_an_ill_record_is_tried_five_times_then_told_then_buried(
    make: Any, running: Any, event: MakeEvent
) -> None:
    bus = await make(partitions=1)
    tries, told, done = 0, [], []

    async def handler(received: Received) -> Outcome:
        nonlocal tries
        if received.offset == 0:
            tries += 1
            return Retry("it will not") if tries % 2 else Retry("nor now", Ill.RECORD)
        done.append((received.offset, correlation.current()))
        return Done()

    async def on_dead(received: Received, dead: Dead) -> None:
        assert received.event is not None
        told.append((received.event.data.n, dead.reason))

    await bus.send(event("a", 0), event("b", 1), event("a", 2))
    async with running(bus.watermark(handler, on_dead=on_dead)):
        await until(lambda: len(done) == 1)
        await until(lambda: committed_to(bus, 3), within=20)
    assert tries == 5
    assert told == [(0, DeadReason.HANDLER_FAILED)]
    assert done == [(1, "correlation-b-1"), (2, "correlation-a-2")]
    (letter,) = await bus.buried()
    assert dict(letter.headers)["clearline-reason"] == b"handler_failed"


async def test_too_many_dead_stop_the_consumer_and_say_so_until_a_person_restarts_it(
    make: Any, running: Any, event: MakeEvent
) -> None:
    bus, ours_to_blame, done = await make(partitions=1), True, set()

    async def handler(received: Received) -> Outcome:
        if ours_to_blame:
            return Dead(DeadReason.REFUSED, "never")
        done.add(received.offset)
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(400)))
    consumer = bus.watermark(handler)
    async with running(consumer):
        await until(lambda: consumer.status().phase.value == "halted", within=20)
        assert not consumer.status().healthy
        assert "dead letters" in consumer.status().detail
        assert bus.value("clearline_consumer_stopped", group=bus.group) == 1
        await until(lambda: bus.value("clearline_consumer_lag_seconds", topic=bus.topic.name, group=bus.group) > 1)
    assert len(await bus.buried()) == 200
    assert (await bus.committed()).get(0, 0) <= 200
    ours_to_blame = False
    async with running(bus.watermark(handler)):
        await until(lambda: committed_to(bus, 400), within=20)
    assert done >= set(range(200, 400)), "what came after the two hundred was lost"


async def test_a_handler_whose_partition_was_handed_over_cannot_publish(
    make: Any, running: Any, event: MakeEvent
) -> None:
    bus = await make(partitions=1)
    began, refused = asyncio.Event(), asyncio.Event()

    async def stubborn(_received: Received) -> Outcome:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(1.5)  # beyond the time that a cancelled handler is waited for
            try:
                await bus.producer.publish(event("late", 99), bus.topic)
            except LeaseLost:
                refused.set()
            raise
        return Done()

    await bus.send(event("a", 0))
    async with running(bus.watermark(stubborn), deadline=3):
        await began.wait()
    await until(refused.is_set)
    assert len(await read_back(bus)) == 1


async def read_back(bus: Any) -> list[Any]:
    found: list[Any] = await bus.read(bus.topic)
    return found


async def committed_to(bus: Any, offset: int) -> bool:
    return bool(await bus.committed() == {0: offset})


async def test_poison_costs_only_itself(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    done: list[int] = []

    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        done.append(received.event.data.n)
        return Done()

    good = to_record(event("k", 0))
    poison: list[dict[str, Any]] = [
        {"value": b"{", "headers": good.headers},
        {"value": good.value, "headers": ()},
        {"value": None, "headers": good.headers},
        {"value": good.value, "headers": good.headers, "key": None},
        {"value": good.value, "headers": (*good.headers, ("ce_type", b"\xff"))},
    ]
    async with running(bus.watermark(handler)):
        for n, parts in enumerate(poison):
            await bus.send(event("k", 2 * n), event(f"k{n}", 2 * n + 1))
            await bus.send_raw(**parts)
        await until(lambda: committed_to(bus, 3 * len(poison)))
    assert sorted(done) == list(range(2 * len(poison)))
    reasons = [dict(letter.headers)["clearline-reason"].decode() for letter in await bus.buried()]
    assert sorted(reasons) == ["no_key", "not_json", "not_utf8", "tombstone", "wrong_schema"]


async def test_a_topic_that_is_not_there_yet_is_waited_for(bus: Any, running: Any, event: MakeEvent) -> None:
    later = replace(bus.topic, name=unique("later"), partitions=1)
    done = []

    async def handler(received: Received) -> Outcome:
        done.append(received.offset)
        return Done()

    consumer = bus.watermark(handler, topics=[bus.topic, later])
    async with running(consumer):
        await until(lambda: consumer.status().phase.value == "starting")
        await provision([later], bus.settings, bus.clock)
        await bus.producer.publish(event("a", 0), later)
        await until(lambda: done == [0], within=40)
