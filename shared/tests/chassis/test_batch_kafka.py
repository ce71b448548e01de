"""Batch consumption on a real broker: halving, positions, outages, the eight kinds of poison."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.harness.waiting import until

from clearline.chassis.cloudevents import to_record
from clearline.chassis.consumption import Batch, Partition, PositionMoved
from clearline.chassis.outcome import Dead, DeadReason, Done, Outcome
from clearline.contracts.event import Event
from clearline.contracts.ids import dead_letter_id

MakeEvent = Callable[..., Event]


class Store:
    """A table with the effects and the positions of them, written together or not at all."""

    def __init__(self) -> None:
        self.positions: dict[Partition, int] = {}
        self.effects: list[int] = []
        self.loads = 0

    async def load(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.loads += 1
        return {each: self.positions[each] for each in partitions if each in self.positions}

    def write(self, batch: Batch) -> None:
        for partition, span in batch.spans.items():
            if self.positions.get(partition, span.first) != span.first:
                raise PositionMoved
        for partition, span in batch.spans.items():
            self.positions[partition] = span.next
        self.effects += [received.event.data.n for received in batch.records if received.event is not None]

    async def handle(self, batch: Batch) -> Outcome:
        self.write(batch)
        return Done()


async def test_a_failing_batch_is_halved_until_the_guilty_record_stands_alone(
    bus: Any, running: Any, event: MakeEvent
) -> None:
    store, sizes = Store(), []

    async def handler(batch: Batch) -> Outcome:
        sizes.append(len(batch.records))
        if any(received.event is not None and received.event.data.n in {77, 301} for received in batch.records):
            raise ValueError("two of them are ill")
        store.write(batch)
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(400)))
    async with running(bus.batch(handler, positions=store)):
        await until(lambda: sum(store.positions.values()) == 400, within=40)
    assert sorted(store.effects) == [n for n in range(400) if n not in {77, 301}]
    letters = await bus.buried()
    assert len(letters) == 2
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["clearline-reason"] == b"handler_failed"
        place = (bus.topic.name, int(headers["clearline-origin-partition"]), int(headers["clearline-origin-offset"]))
        assert headers["clearline-dead-letter-id"] == str(dead_letter_id(*place)).encode()
    assert len(sizes) < 80


async def test_the_store_is_the_truth_about_the_position(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    store = Store()
    await bus.send(*(event("a", n) for n in range(10)))
    async with running(bus.batch(store.handle, positions=store)):
        await until(lambda: len(store.effects) == 10)
    assert await bus.committed() == {0: 10}
    place = Partition(bus.topic.name, 0)
    store.positions[place] = 4  # Kafka says 10; the store was restored from a backup
    async with running(bus.batch(store.handle, positions=store)):
        await until(lambda: len(store.effects) == 16)
    assert store.effects[10:] == [4, 5, 6, 7, 8, 9]
    assert await bus.committed() == {0: 10}
    del store.positions[place]
    async with running(bus.batch(store.handle, positions=store)):
        await until(lambda: len(store.effects) == 26)
    assert store.effects[16:] == list(range(10))


async def test_a_moved_position_is_read_anew_and_blames_no_record(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    store = Store()
    async with running(bus.batch(store.handle, positions=store)):
        await bus.send(*(event("a", n) for n in range(5)))
        await until(lambda: len(store.effects) == 5)
        store.positions[Partition(bus.topic.name, 0)] = 2  # as if another owner's work had been rolled back
        await bus.send(event("a", 5))
        await until(lambda: store.effects[5:] == [2, 3, 4, 5])
    assert store.loads == 2
    assert await bus.buried() == []


async def test_an_ill_world_repeats_the_same_batch_and_says_so_once(
    make: Any, running: Any, event: MakeEvent, capsys: Any
) -> None:
    bus = await make(partitions=1)
    well, tries, done = False, [], []

    async def handler(batch: Batch) -> Outcome:
        numbers = [received.event.data.n for received in batch.records if received.event is not None]
        if not well:
            tries.append(numbers)
            raise TimeoutError
        done.extend(numbers)
        return Done()

    await bus.send(*(event("a", n) for n in range(20)))
    consumer = bus.batch(handler)
    async with running(consumer):
        await until(lambda: len(tries) >= 4)
        assert consumer.status().phase.value == "waiting"
        well = True
        await until(lambda: done == list(range(20)))
        await until(lambda: consumer.status().healthy)
    assert all(numbers == tries[0] for numbers in tries)
    assert await bus.buried() == []
    said = capsys.readouterr().out
    assert said.count("a dependency is away") == 1
    assert said.count("the dependency is back") == 1


async def test_eight_kinds_of_poison_while_good_traffic_flows(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=3, max_bytes=20_000)
    store = Store()

    async def handler(batch: Batch) -> Outcome:
        if any(received.event is not None and received.event.data.note == "poison" for received in batch.records):
            return Dead(DeadReason.REFUSED, "the handler will not")
        store.write(batch)
        return Done()

    good = to_record(event("k", 0))
    wrong_type = tuple((n, b"clearline.test.stepped.v9" if n == "ce_type" else v) for n, v in good.headers)
    poison: list[tuple[str, dict[str, Any]]] = [
        ("not_json", {"value": b"{not json", "headers": good.headers}),
        ("not_utf8", {"value": b'{"n": 1, "note": "\xff\xfe"}', "headers": good.headers}),
        ("wrong_schema", {"value": b'{"n": "a secret value"}', "headers": good.headers}),
        ("unknown_type", {"value": good.value, "headers": wrong_type}),
        ("tombstone", {"value": None, "headers": good.headers}),
        ("no_key", {"value": good.value, "key": None, "headers": good.headers}),
        ("oversize", {"value": b'{"n":1,"note":"' + b"x" * 30_000 + b'"}', "headers": good.headers}),
        ("refused", {"value": b'{"n":1,"note":"poison"}', "headers": good.headers}),
        ("not_utf8", {"value": good.value, "headers": (*good.headers[1:], ("ce_specversion", b"\xff"))}),
        ("wrong_schema", {"value": good.value, "headers": (*good.headers, ("ce_id", b"another"))}),
        ("wrong_schema", {"value": good.value, "headers": ()}),
    ]
    async with running(bus.batch(handler, positions=store)):
        for n, (_, parts) in enumerate(poison):
            await bus.send(*(event(f"k{m}", n * 100 + m) for m in range(100)))
            await bus.send_raw(**parts)
        await until(lambda: sum(store.positions.values()) == 100 * len(poison) + len(poison), within=30)
    assert sorted(store.effects) == sorted(n * 100 + m for n in range(len(poison)) for m in range(100))
    letters = await bus.buried()
    assert sorted(dict(each.headers)["clearline-reason"].decode() for each in letters) == sorted(r for r, _ in poison)
    originals = {(parts["value"], parts.get("key", b"k")) for _, parts in poison}
    assert {(each.value, each.key) for each in letters} == originals
    for letter in letters:
        assert b"a secret value" not in b"".join(value for name, value in letter.headers if "detail" in name)
    assert bus.value("clearline_dead_letters_total", topic=bus.topic.name, reason="wrong_schema") == 3


async def test_alarming_series_are_there_before_anything_happens(bus: Any) -> None:
    bus.batch(Store().handle)
    found = bus.metrics.registry.get_sample_value
    labels = {"topic": bus.topic.name, "reason": "handler_failed"}
    assert found("clearline_dead_letters_total", labels) == 0
    assert found("clearline_consumer_stopped", {"group": bus.group}) == 0


async def test_tombstones_reach_the_handler_on_a_compacted_topic(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1, compacted=True)
    seen: list[tuple[str, bool]] = []

    async def handler(batch: Batch) -> Outcome:
        seen.extend((received.key, received.event is None) for received in batch.records)
        return Done()

    await bus.send(event("gone", 0))
    await bus.send_raw(None, key=b"gone")
    async with running(bus.batch(handler)):
        await until(lambda: seen == [("gone", False), ("gone", True)])
    assert await bus.buried() == []


async def test_a_batch_in_hand_gets_its_time_at_a_stop(make: Any, event: MakeEvent) -> None:
    bus = await make(partitions=1)
    began, go = asyncio.Event(), asyncio.Event()
    done = []

    async def handler(batch: Batch) -> Outcome:
        began.set()
        await go.wait()
        done.append(len(batch.records))
        return Done()

    await bus.send(event("a", 0))
    consumer = bus.batch(handler)
    run = asyncio.create_task(consumer.run())
    await began.wait()
    stopping = asyncio.create_task(consumer.stop(10))
    asyncio.get_running_loop().call_later(0.3, go.set)
    await stopping
    await run
    assert done == [1]
    assert await bus.committed() == {0: 1}
