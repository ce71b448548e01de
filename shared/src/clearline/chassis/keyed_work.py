"""What happens to one record under watermark consumption, from its first try to its end."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from clearline.chassis import correlation
from clearline.chassis.clock import Clock
from clearline.chassis.consumption import ControlHandler, KeyedHandler, Received
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.lanes import Item
from clearline.chassis.lease import LeaseLost
from clearline.chassis.metrics import Metrics
from clearline.chassis.outage import Outage
from clearline.chassis.outcome import Dead, Done, Ill, Outcome, Retry
from clearline.chassis.retry import classify
from clearline.chassis.tries import Tries

OnDead = Callable[[Received, Dead], Awaitable[None]]
"""Called before a readable record is dead-lettered, so that a request can end with a failure that its asker sees."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class KeyedWork:
    """Handles items, at most `concurrency` at once."""

    def __init__(
        self,
        *,
        group: str,
        handler: KeyedHandler,
        on_dead: OnDead | None,
        concurrency: int,
        dead_letters: DeadLetters,
        death_rate: DeathRate,
        outage: Outage,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._group = group
        self._handler = handler
        self._on_dead = on_dead
        self._slots = asyncio.Semaphore(concurrency)
        self._dead_letters = dead_letters
        self._death_rate = death_rate
        self._outage = outage
        self._metrics = metrics
        self._clock = clock
        self._gauge = metrics.in_flight.labels(group)
        self._opened = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.running = 0

    def open(self) -> None:
        """Handlers may begin."""
        self._opened.set()

    async def close(self, limit: float) -> None:
        """No handler begins any more; those that run get `limit` seconds."""
        self._opened.clear()
        if self.running:
            try:
                await asyncio.wait_for(self._idle.wait(), limit)
            except TimeoutError:
                _LOG.info("handing over work that did not end in time", group=self._group, handlers=self.running)

    def is_control(self, control: ControlHandler | None, received: Received) -> bool:
        """Whether `control` took the record; one it stumbles over goes the ordinary way."""
        if control is None:
            return False
        try:
            return control(received)
        except Exception as error:  # noqa: BLE001 - the record itself is still there for the handler
            _LOG.warning("a control record was not understood", group=self._group, exc_info=error)
            return False

    async def do(self, item: Item) -> None:
        """Return when the record has its effect or is dead-lettered."""
        read = item.read
        if isinstance(read, Dead):
            await self._bury(item, read)
            return
        with correlation.bound(read.event.correlation_id if read.event is not None else None):
            dead = await self._handle(read)
            if dead is not None:
                await self._tell(read, dead)
                await self._bury(item, dead)

    async def _handle(self, received: Received) -> Dead | None:
        """Try until it is done (None) or dead."""
        tries = Tries(self._clock)
        await self._outage.passed()  # new work waits; a retry is what finds out that the world is well again
        while True:
            outcome = await self._attempt(received)
            if not (isinstance(outcome, Retry) and outcome.ill is Ill.WORLD):
                self._outage.over()
            match outcome:
                case Done():
                    self._death_rate.alive(1)
                    self._metrics.handled.labels(received.partition.topic, "done").inc()
                    return None
                case Dead():
                    return outcome
                case Retry(reason, ill):
                    self._metrics.retries.labels(self._group, ill.value).inc()
                    if ill is Ill.WORLD:
                        self._outage.begin(reason)
            step = tries.failed(outcome)
            if isinstance(step, Dead):
                return step
            await self._clock.sleep(step)  # holds no slot

    async def _attempt(self, received: Received) -> Outcome:
        """One call of the handler, in a slot."""
        await self._opened.wait()
        async with self._slots:
            await self._opened.wait()
            self._began()
            began = self._clock.monotonic()
            try:
                return await self._handler(received)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - the table says whose fault it is
                retry = classify(error)
                if retry.ill is Ill.RECORD:
                    _LOG.warning("a handler failed", group=self._group, exc_info=error)
                return retry
            finally:
                self._ended()
                kind = received.event.type.name if received.event is not None else "tombstone"
                seconds = self._clock.monotonic() - began
                self._metrics.handler_seconds.labels(received.partition.topic, kind).observe(seconds)

    async def _tell(self, received: Received, dead: Dead) -> None:
        """Let the service say it first. An ill world is waited for; if the hook itself fails, the letter still goes."""
        if self._on_dead is None:
            return None
        tries = Tries(self._clock)
        while True:
            try:
                return await self._on_dead(received, dead)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - the table says whose fault it is
                step = tries.failed(classify(error))
                if isinstance(step, Dead):
                    _LOG.error("the failure of a dead request could not be told", group=self._group, exc_info=error)
                    return None
                await self._clock.sleep(step)

    async def _bury(self, item: Item, dead: Dead) -> None:
        await self._opened.wait()
        self._death_rate.dead()
        await self._dead_letters.write(item.record, dead)
        self._metrics.handled.labels(item.record.topic, "dead").inc()

    def _began(self) -> None:
        self.running += 1
        self._gauge.set(self.running)
        self._idle.clear()

    def _ended(self) -> None:
        self.running -= 1
        self._gauge.set(self.running)
        if not self.running:
            self._idle.set()
