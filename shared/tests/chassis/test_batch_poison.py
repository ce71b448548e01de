"""Whatever is guilty, however it is found, and wherever the process dies: nothing lost, doubled or passed by.

A store in memory stands for the database: effects and positions change together or not at all.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.batch_burial import BatchBurial
from clearline.chassis.clock import Clock, SystemClock
from clearline.chassis.cloudevents import to_record
from clearline.chassis.consumption import Batch, Partition, PositionMoved, Received
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead, Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.record import Record
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.event import Body, Event, EventType
from clearline.contracts.topics import Topic

Place = tuple[int, int]
"""Partition and offset."""


class Mark(Body, frozen=True):
    n: int


MARKED = EventType("clearline.test.marked.v1", Mark, "A mark.")
TOPIC = Topic(name="t", purpose="", key="", partitions=3, producers=(), consumers=(), types=(MARKED,))
SETTINGS = KafkaSettings(bootstrap_servers=("h:1",))


class Guilt(StrEnum):
    """What the handler does with a record."""

    NONE = "takes it"
    NAMED = "gives it up by name"
    GIVEN = "fails for what it holds, without a name"
    UNNAMED = "fails for no reason that the table knows"


@dataclass(frozen=True)
class Log:
    """What lies in Kafka: of each partition its records, with key and guilt."""

    records: dict[Place, tuple[str, Guilt]]

    def polled(self, positions: dict[int, int]) -> dict[Partition, list[Any]]:
        found: dict[Partition, list[Any]] = {}
        for (number, offset), (key, _) in sorted(self.records.items()):
            if offset >= positions.get(number, 0):
                found.setdefault(Partition("t", number), []).append(record(number, offset, key))
        return found

    def of(self, *, guilty: bool) -> list[Place]:
        return sorted(place for place, (_, guilt) in self.records.items() if (guilt is not Guilt.NONE) is guilty)


def record(number: int, offset: int, key: str) -> Any:
    event = Event(
        id=uuid4(), type=MARKED, source="/clearline/test", subject="s", time=datetime.now(UTC), key=key,
        data=Mark(n=offset), correlation_id="c",
    )  # fmt: skip
    made = to_record(event)
    parts = {"key": made.key, "value": made.value, "headers": made.headers}
    return SimpleNamespace(topic="t", partition=number, offset=offset, timestamp=0, **parts)


class Killed(BaseException):
    """The process is gone, from one step to the next."""


@dataclass
class World:
    """The database, the dead letters, and the step at which the process dies."""

    log: Log
    dies_at: frozenset[int] = frozenset()
    away_at: frozenset[int] = frozenset()
    """Steps at which the database is away for a moment."""
    positions: dict[int, int] = field(default_factory=dict)
    effects: list[Place] = field(default_factory=list)
    letters: list[Place] = field(default_factory=list)
    passed_by: set[Place] = field(default_factory=set)
    """Guilty, passed by a position, and not in a letter."""
    given_up: set[Place] = field(default_factory=set)
    """By this process; another one knows nothing of it."""
    given_again: set[Place] = field(default_factory=set)
    steps: int = 0

    async def load(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return {each: self.positions[each.number] for each in partitions if each.number in self.positions}

    def step(self) -> None:
        self.steps += 1
        if self.steps in self.dies_at:
            raise Killed

    async def write(self, dead: Record, _: Dead) -> None:
        """Of dead letters."""
        self.step()
        self.letters.append((dead.partition, dead.offset))
        self.step()

    async def handle(self, batch: Batch) -> Outcome:
        """One transaction."""
        self.step()
        if any(self.positions.get(place.number, 0) != span.first for place, span in batch.spans.items()):
            raise PositionMoved
        good: list[Place] = []
        for received in batch.records:
            place = (received.partition.number, received.offset)
            self.given_again |= {place} & self.given_up
            match self.log.records[place][1]:
                case Guilt.NONE:
                    good.append(place)
                case Guilt.NAMED:
                    await batch.give_up(received, TypeError("no such fact"))
                    self.given_up.add(place)
                case Guilt.GIVEN:
                    raise UnicodeError
                case Guilt.UNNAMED:
                    raise RuntimeError
        if self.steps in self.away_at:
            raise TimeoutError
        self.commit(batch, good)
        self.step()
        return Done()

    def commit(self, batch: Batch, good: Sequence[Place]) -> None:
        self.effects += good
        for place, span in batch.spans.items():
            self.positions[place.number] = span.next
        passed = [place for place in self.log.of(guilty=True) if place[1] < self.positions.get(place[0], 0)]
        self.passed_by |= set(passed) - set(self.letters)


class Timeless(SystemClock):
    """Nobody waits."""

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the shape of a clock
        await asyncio.sleep(0)


class OwnTime(SystemClock):
    """Goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due = math.inf
        self._then: Callable[[], None] = lambda: None

    def at_seconds(self, due: float, then: Callable[[], None]) -> None:
        self._due, self._then = due, then

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += seconds
        if self._now >= self._due:
            self._then()


def consumer(world: World, clock: Clock) -> BatchConsumer:
    metrics = Metrics()
    producer = Producer(settings=SETTINGS, metrics=metrics, clock=clock, client_id="t")
    made = BatchConsumer(
        settings=SETTINGS, topics=[TOPIC], group="g", handler=world.handle, producer=producer, metrics=metrics,
        clock=clock, positions=world,
    )  # fmt: skip
    made._burial = BatchBurial(cast("DeadLetters", world), DeathRate(alarm_only=True), metrics)
    return made


async def consume(world: World, clock: Clock | None = None) -> None:
    """Begin where the positions are, again and again, until all is read."""
    while polled := world.log.polled(world.positions):
        member = consumer(world, clock or Timeless())
        world.given_up.clear()
        member._begin({place: world.positions.get(place.number, 0) for place in polled})
        try:
            await member._take(polled)
        except Killed:
            continue


@st.composite
def logs(draw: st.DrawFn) -> Log:
    guilt = st.sampled_from([Guilt.NONE, Guilt.NONE, Guilt.NONE, *Guilt])
    each = st.tuples(st.sampled_from("abc"), guilt)
    partitions = draw(st.lists(st.lists(each, max_size=14), min_size=1, max_size=3))
    return Log(
        {(number, offset): told for number, records in enumerate(partitions) for offset, told in enumerate(records)}
    )


steps = st.frozensets(st.integers(1, 60), max_size=4)


@pytest.fixture(autouse=True)
def quiet(plain_logs: None) -> None:  # noqa: ARG001 - which puts it back
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@settings(max_examples=100, deadline=None)
@given(logs(), steps, steps)
def test_the_good_is_handled_once_in_order_and_the_guilty_buried(
    log: Log, dies_at: frozenset[int], away_at: frozenset[int]
) -> None:
    world = World(log, dies_at, away_at)
    asyncio.run(asyncio.wait_for(consume(world), 20))
    assert sorted(world.effects) == log.of(guilty=False)
    for number in range(3):
        ours = [offset for partition, offset in world.effects if partition == number]
        assert ours == sorted(ours), "overtaken"
    assert sorted(set(world.letters)) == log.of(guilty=True)
    assert not world.passed_by
    assert not world.given_again
    if not dies_at:
        assert set(Counter(world.letters).values()) <= {1}, "buried twice although nobody died"


def guilty_at(at: int, guilt: Guilt, of: int = 500) -> World:
    return World(Log({(0, offset): ("k", guilt if offset == at else Guilt.NONE) for offset in range(of)}))


@pytest.mark.parametrize("at", [0, 250, 499])
def test_a_named_record_costs_no_search(at: int) -> None:
    world = guilty_at(at, Guilt.NAMED)
    asyncio.run(consume(world))
    assert world.letters == [(0, at)]
    assert world.steps == 4  # one transaction's begin and end, one letter's


async def test_whoever_names_a_record_twice_buries_it_once() -> None:
    world = guilty_at(0, Guilt.NAMED, of=1)
    [place], [[lying]] = world.log.polled({}).keys(), world.log.polled({}).values()
    burial = BatchBurial(cast("DeadLetters", world), DeathRate(alarm_only=True), Metrics())
    burial.begin({place: [lying]})
    for _ in range(2):
        await burial.give_up(Received(place, 0, "k", None), KeyError())
    assert world.letters == [(0, 0)]


def test_what_is_refused_for_what_it_holds_is_not_tried_again() -> None:
    """Alone, it fails once; what the table does not know gets four tries."""
    worlds = {guilt: guilty_at(0, guilt, of=1) for guilt in (Guilt.GIVEN, Guilt.UNNAMED)}
    for world in worlds.values():
        asyncio.run(consume(world))
        assert world.letters == [(0, 0)]
    assert worlds[Guilt.UNNAMED].steps - worlds[Guilt.GIVEN].steps == 3


@pytest.mark.parametrize("at", [0, 250, 499])
def test_a_short_fault_of_one_record_is_outlived_wherever_the_search_finds_it(at: int) -> None:
    """Ten failures among others take milliseconds, in which nothing heals."""
    world, clock = guilty_at(at, Guilt.UNNAMED), OwnTime()
    clock.at_seconds(0.3, lambda: world.log.records.update({(0, at): ("k", Guilt.NONE)}))
    asyncio.run(consume(world, clock))
    assert (world.letters, len(world.effects)) == ([], 500)


async def test_a_batch_that_nobody_handed_over_cannot_give_up() -> None:
    received = Received(Partition("t", 0), 0, "k", None)
    with pytest.raises(KeyError):
        await Batch([received], {}).give_up(received, KeyError())
