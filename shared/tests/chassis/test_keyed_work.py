"""How many workers keyed work takes: one where no handler waits, as many as allowed where all do."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from tests.harness.waiting import until

from clearline.chassis.calling import Calling
from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Partition, Received
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.keyed_work import KeyedWork
from clearline.chassis.lanes import Item, Lanes
from clearline.chassis.metrics import Metrics
from clearline.chassis.outage import Outage
from clearline.chassis.outcome import Done, Outcome

PLACE = Partition("t", 0)


async def test_handlers_that_never_wait_are_done_by_one_worker() -> None:
    workers: set[asyncio.Task[Any]] = set()

    async def handler(_received: Received) -> Outcome:
        workers.update(filter(is_worker, asyncio.all_tasks()))  # on the session's loop others may have left something
        return Done()

    lanes = work_off(handler, records=100, keys=10)
    await until(lambda: lanes.mark == 100)
    assert len(workers) == 1


def is_worker(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "") == "KeyedWork._worker"


async def test_handlers_that_wait_run_side_by_side_up_to_the_limit() -> None:
    began, go = [], asyncio.Event()

    async def handler(received: Received) -> Outcome:
        began.append(received.offset)
        await go.wait()
        return Done()

    lanes = work_off(handler, records=20, keys=20)
    await until(lambda: len(began) == 8)
    assert began == list(range(8))
    go.set()
    await until(lambda: lanes.mark == 20)


def work_off(handler: Callable[[Received], Awaitable[Outcome]], *, records: int, keys: int) -> Lanes:
    metrics, clock, lanes = Metrics(), SystemClock(), Lanes(PLACE, 0)
    work = KeyedWork(
        group="g",
        calling=Calling("g", handler, None, metrics, clock),
        burial=cast("Any", None),
        concurrency=8,
        death_rate=DeathRate(alarm_only=False),
        outage=Outage("g", metrics, clock),
        metrics=metrics,
        clock=clock,
        moved=lambda _lanes: None,
        broken=lambda _error: None,
    )
    for offset in range(records):
        record = cast("Any", SimpleNamespace(topic="t", offset=offset, key=b"%d" % (offset % keys), timestamp=0))
        lanes.next = offset + 1
        if (key := lanes.add(Item(record, Received(PLACE, offset, "k", None)))) is not None:
            work.add(lanes, key)
    work.kick()
    return lanes
