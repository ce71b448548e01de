"""Who works on which record under watermark consumption, from the assignment of partitions to their hand-over.

At most `concurrency` workers take the heads of lanes; a lane whose head fails goes on in a task of its own, which holds
no worker while it waits. New work waits while the world is ill: a retry is what finds out that it is well again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from clearline.chassis import lease
from clearline.chassis.burial import Burial
from clearline.chassis.calling import Calling
from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Received
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.in_hand import InHand
from clearline.chassis.lanes import Item, LaneKey, Lanes
from clearline.chassis.metrics import Metrics
from clearline.chassis.outage import Outage
from clearline.chassis.outcome import Dead, Done, Ill, Outcome, Retry
from clearline.chassis.tries import Tries

CANCEL_SECONDS = 1.0
"""How long cancelled handlers may take to end; afterwards their lease keeps them from publishing."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class KeyedWork:
    """The work of one ownership of partitions; it ends with it, and the next ownership gets another."""

    def __init__(
        self,
        *,
        group: str,
        calling: Calling,
        burial: Burial,
        concurrency: int,
        death_rate: DeathRate,
        outage: Outage,
        metrics: Metrics,
        clock: Clock,
        moved: Callable[[Lanes], None],
        broken: Callable[[BaseException], None],
    ) -> None:
        self._group = group
        self._calling = calling
        self._burial = burial
        self._concurrency = concurrency
        self._death_rate = death_rate
        self._outage = outage
        self._retries = metrics.retries
        self._clock = clock
        self._moved = moved
        self._broken = broken
        self._lease = lease.Lease()
        self._open = True
        self._ready: deque[tuple[Lanes, LaneKey]] = deque()
        self._again: deque[tuple[Received, asyncio.Future[Outcome]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = 0
        self._hiring = False
        self._in_hand = InHand()

    @property
    def running(self) -> int:
        """Handlers that run, and dead letters that are being written."""
        return self._in_hand.count

    def add(self, lanes: Lanes, key: LaneKey) -> None:
        """A lane has a head that nobody works on. Call `kick` after the last one."""
        self._ready.append((lanes, key))

    def kick(self) -> None:
        """Have as many workers as there is work for."""
        if not self._hiring:
            self._hire()

    def _hire(self) -> None:
        """One worker, and the next one once that one waits: handlers that never do are done by one alone."""
        self._hiring = self._open and self._workers < self._concurrency and self._is_work
        if self._hiring:
            self._workers += 1
            self._spawn(self._worker())
            asyncio.get_running_loop().call_soon(self._hire)  # runs after the new worker's first step

    @property
    def _is_work(self) -> bool:
        return bool(self._again) or (bool(self._ready) and not self._outage.on)

    async def close(self, limit: float) -> None:
        """Begin nothing more, give what runs `limit` seconds, cancel the rest, publish nothing afterwards."""
        self._open = False
        if not await self._in_hand.until_none(limit):
            _LOG.info("handing over work that did not end in time", group=self._group, handlers=self.running)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        self._lease.end()

    async def _worker(self) -> None:
        try:
            while self._open:
                if self._again:
                    received, waiting = self._again.popleft()
                    outcome = await self._call(received)
                    if not waiting.done():
                        waiting.set_result(outcome)
                elif self._ready and not self._outage.on:
                    lanes, key = self._ready.popleft()
                    item = lanes.queues[key][0]
                    read = item.read
                    self._settle(lanes, key, item, read if isinstance(read, Dead) else await self._call(read))
                else:
                    return
        finally:
            self._workers -= 1

    def _settle(self, lanes: Lanes, key: LaneKey, item: Item, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._done(lanes, key, item)
        elif self._open:
            self._spawn(self._bring_to_an_end(lanes, key, item, outcome))

    async def _bring_to_an_end(self, lanes: Lanes, key: LaneKey, item: Item, outcome: Outcome) -> None:
        """What is not done at once: tried again, or buried."""
        tries = Tries(self._clock)
        while isinstance(outcome, Retry) and isinstance(item.read, Received):
            self._retries.labels(self._group, outcome.ill.value).inc()
            if isinstance(step := tries.failed(outcome), Dead):
                outcome = step
                break
            await self._clock.sleep(step)
            waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._again.append((item.read, waiting))
            self.kick()
            outcome = await waiting
        if isinstance(outcome, Dead):
            with self._in_hand:
                await self._burial.bury(item.record, item.read, outcome)
            self._advance(lanes, key)
        else:
            self._done(lanes, key, item)

    async def _call(self, received: Received) -> Outcome:
        with self._in_hand:
            outcome = await self._calling.call(received)
        if isinstance(outcome, Retry) and outcome.ill is Ill.WORLD:
            self._outage.begin(outcome.reason)
        elif self._outage.on:
            self._outage.over()
            self.kick()
        return outcome

    def _done(self, lanes: Lanes, key: LaneKey, item: Item) -> None:
        self._death_rate.alive(1)
        self._calling.count_done(item.record.topic)
        self._advance(lanes, key)

    def _advance(self, lanes: Lanes, key: LaneKey) -> None:
        lanes.finish(key)
        if lanes.queues[key]:
            self._ready.append((lanes, key))
            self.kick()
        else:
            del lanes.queues[key]
        self._moved(lanes)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        with lease.under(self._lease):
            task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Work that broke stops the consumer: its mark would stand still for ever, and nobody would know why."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken(error)
