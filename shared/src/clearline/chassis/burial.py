"""The end of a record that cannot be handled: its service says so first, then it goes to the dead letters."""

from collections.abc import Awaitable, Callable

import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Received
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.lease import LeaseLost
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead
from clearline.chassis.record import Record
from clearline.chassis.retry import classify
from clearline.chassis.tries import Tries

OnDead = Callable[[Received, Dead], Awaitable[None]]
"""Called before a readable record is dead-lettered, so that a request can end with a failure that its asker sees."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Burial:
    """Buries the dead of one consumer, up to the limit that stops it."""

    def __init__(
        self, dead_letters: DeadLetters, death_rate: DeathRate, on_dead: OnDead | None, metrics: Metrics, clock: Clock
    ) -> None:
        self._dead_letters = dead_letters
        self._death_rate = death_rate
        self._on_dead = on_dead
        self._metrics = metrics
        self._clock = clock

    async def bury(self, record: Record, read: Received | Dead, dead: Dead) -> None:
        """Return when Kafka has the dead letter. Raises `TooManyDead` instead of passing the limit."""
        self._death_rate.dead()
        if self._on_dead is not None and isinstance(read, Received):
            await self._tell(self._on_dead, read, dead)
        await self._dead_letters.write(record, dead)
        self._metrics.handled.labels(record.topic, "dead").inc()

    async def _tell(self, on_dead: OnDead, received: Received, dead: Dead) -> None:
        """An ill world is waited for; if the hook itself fails, the letter still goes."""
        tries = Tries(self._clock)
        while True:
            try:
                return await on_dead(received, dead)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - the table says whose fault it is
                step = tries.failed(classify(error))
                if isinstance(step, Dead):
                    _LOG.error("the failure of a dead request could not be told", topic=received.partition.topic)
                    return None
                await self._clock.sleep(step)
