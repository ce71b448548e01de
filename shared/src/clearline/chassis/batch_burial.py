"""The dead of one poll: their letters first, then what is stored passes them, and no try hands them over again."""

import asyncio

import structlog

from clearline.chassis.consumption import Batch, Partition, Received
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate
from clearline.chassis.group_member import Polled
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead, DeadReason
from clearline.chassis.record import Record
from clearline.chassis.retry import classify

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class BatchBurial:
    """Buries the dead of one batch consumer, up to the limit that stops it."""

    def __init__(self, dead_letters: DeadLetters, death_rate: DeathRate, metrics: Metrics) -> None:
        self._dead_letters = dead_letters
        self._death_rate = death_rate
        self._metrics = metrics
        self._polled: Polled = {}
        self._buried: set[tuple[Partition, int]] = set()

    def begin(self, polled: Polled) -> None:
        """From here on records are those of this poll."""
        self._polled, self._buried = polled, set()

    async def bury(self, *dead: tuple[Record, Dead]) -> None:
        """Side by side: one after the other, each would wait for Kafka alone while its whole batch waits.

        Returns when Kafka has them all. Raises `TooManyDead` instead of passing the limit.
        """
        for _ in dead:
            self._death_rate.dead()
        await asyncio.gather(*(self._dead_letters.write(record, why) for record, why in dead))
        for record, _ in dead:
            self._metrics.handled.labels(record.topic, "dead").inc()

    async def bury_read(self, received: Received, why: Dead) -> None:
        """Bury a record that could be read. Once: whoever names it again changes nothing."""
        place = (received.partition, received.offset)
        if place not in self._buried:
            await self.bury((self._original(received), why))
            self._buried.add(place)

    async def give_up(self, received: Received, why: BaseException) -> None:
        """What a handler calls: `Batch.give_up`."""
        _LOG.warning("a handler gave a record up", topic=received.partition.topic, exc_info=why)
        await self.bury_read(received, Dead(DeadReason.HANDLER_FAILED, f"named by its handler: {classify(why).reason}"))

    def left(self, batch: Batch) -> Batch:
        """`batch` without its dead; its spans still cover them."""
        if not self._buried:
            return Batch(batch.records, batch.spans, self.give_up)
        alive = [each for each in batch.records if (each.partition, each.offset) not in self._buried]
        return Batch(alive, batch.spans, self.give_up)

    def _original(self, received: Received) -> Record:
        return next(record for record in self._polled[received.partition] if record.offset == received.offset)
