"""Batch consumption: one poll, one transaction, one position.

With `positions` the truth about the position lies with the handler's effects; Kafka is told for the lag tools' sake.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Unpack

import structlog

from clearline.chassis import lease, traced_messages, tracing
from clearline.chassis.batch_burial import BatchBurial
from clearline.chassis.consumption import Batch, BatchHandler, Partition, PositionMoved, Positions, Received, Span
from clearline.chassis.death_rate import TooManyDead
from clearline.chassis.group_consumer import GroupConsumer
from clearline.chassis.group_member import Polled
from clearline.chassis.halving import Search
from clearline.chassis.membership import Membership
from clearline.chassis.outcome import Dead, DeadReason, Done, Ill, Outcome, Retry
from clearline.chassis.progress import Standing
from clearline.chassis.reading import Reader
from clearline.chassis.record import Record
from clearline.chassis.retry import ALONE, ALONE_TRIES, classify, is_given
from clearline.chassis.tries import Tries

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")

CANCEL_SECONDS = 1.0
"""How long a cancelled transaction may take to roll back before it is left behind."""
MOVED_SECONDS = 0.5
"""Between two looks at a position that someone else moves."""


class BatchConsumer(GroupConsumer):
    """Hands whole polls to a transactional handler, which may name a guilty record.

    A batch that fails without a name is halved until the guilty record stands alone.
    """

    def __init__(
        self,
        *,
        handler: BatchHandler,
        positions: Positions | None = None,
        max_records: int = 500,
        **membership: Unpack[Membership],
    ) -> None:
        super().__init__(positions=positions, max_records=max_records, **membership)
        self._handler = handler
        self._reader = Reader(membership["topics"])
        self._lease = lease.Lease()
        self._marks: dict[Partition, int] = {}
        self._polled: Polled = {}
        self._busy: asyncio.Task[None] | None = None
        self._burial = BatchBurial(self._dead_letters, self._death_rate, self._metrics)

    # What the life of a consumer asks.

    def _begin(self, starts: Mapping[Partition, int]) -> None:
        self._marks, self._polled = dict(starts), {}
        self._lease = lease.Lease()

    async def _take(self, polled: Polled) -> None:
        """The batch runs in a task of its own, so that a hand-over can cancel it while this loop lives on."""
        with lease.under(self._lease):
            self._polled, self._busy = polled, asyncio.create_task(self._process(polled))
        busy = self._busy
        await asyncio.wait({busy})
        self._busy = None
        if busy.cancelled():
            return
        try:
            await busy
        except PositionMoved:
            _LOG.warning("the stored position is elsewhere; reading it anew", group=self._group)
            await self._clock.sleep(MOVED_SECONDS)
            self._member.owned, self._unrestored = False, True
        else:
            self._polled = {}

    async def _finish(self, limit: float) -> None:
        busy = self._busy
        if busy is not None:
            if not self._outage.on:
                await asyncio.wait({busy}, timeout=limit)
            busy.cancel()
            await asyncio.wait({busy}, timeout=CANCEL_SECONDS)
        self._lease.end()

    def _standings(self) -> Mapping[Partition, Standing]:
        return {
            partition: Standing(mark, self._member.end(partition), self._oldest(partition, mark))
            for partition, mark in self._marks.items()
        }

    @property
    def _in_flight(self) -> int:
        return 0 if self._busy is None else 1

    def _oldest(self, partition: Partition, mark: int) -> int | None:
        return next((record.timestamp for record in self._polled.get(partition, ()) if record.offset >= mark), None)

    # One poll.

    async def _process(self, polled: Polled) -> None:
        """Malformed records first, then the rest as one batch whose spans cover both."""
        good: list[Received] = []
        malformed: list[tuple[Record, Dead]] = []
        spans: dict[Partition, Span] = {}
        self._burial.begin(polled)
        for partition, records in polled.items():
            first = self._continuity.check(partition, self._marks[partition], records[0].offset)
            spans[partition] = Span(first, records[-1].offset + 1)
            for record in records:
                read = self._reader.read(partition, record)
                if isinstance(read, Received):
                    good.append(read)
                else:
                    malformed.append((record, read))
        await self._burial.bury(*malformed)
        await self._settle(Batch(good, spans))

    async def _settle(self, whole: Batch) -> None:
        """Bring a batch to its end, in order, whatever part of it fails."""
        search = Search(whole)
        while (batch := search.next()) is not None:
            outcome = await self._until_it_is_not_the_world(batch)
            left = self._burial.left(batch)
            if isinstance(outcome, Done):
                self._advance(left)
                search.done()
            elif len(left.records) > 1:
                search.failed(left)
            else:
                await self._alone(left, outcome)

    async def _alone(self, batch: Batch, outcome: Retry | Dead) -> None:
        """The guilty record: tried again where that may help; then its span is stored without it."""
        tries = Tries(self._clock, between=ALONE, most=ALONE_TRIES)
        while isinstance(outcome, Retry):
            step = tries.failed(outcome)
            if isinstance(step, Dead):
                outcome = step
                break
            await self._clock.sleep(step)
            again = await self._until_it_is_not_the_world(batch)
            if isinstance(again, Done):
                self._advance(self._burial.left(batch))
                return
            outcome = again
        for received in batch.records:
            await self._burial.bury_read(received, outcome)
        await self._settle_empty(Batch((), batch.spans))

    async def _settle_empty(self, batch: Batch) -> None:
        """Store a span without records. No record is to blame when that fails: the world is."""
        tries = Tries(self._clock)
        while not isinstance(outcome := await self._until_it_is_not_the_world(batch), Done):
            _LOG.error("a position cannot be stored; trying until it can", group=self._group, outcome=str(outcome))
            step = tries.failed(Retry(str(outcome), Ill.WORLD))
            await self._clock.sleep(step if isinstance(step, float) else 1.0)
        self._advance(batch)

    async def _until_it_is_not_the_world(self, batch: Batch) -> Outcome:
        """Try, and while the world is ill, wait and try the same again without end."""
        tries = Tries(self._clock)
        while True:
            outcome = await self._attempt(self._burial.left(batch))
            if not (isinstance(outcome, Retry) and outcome.ill is Ill.WORLD):
                self._outage.over()
                return outcome
            self._metrics.retries.labels(self._group, Ill.WORLD.value).inc()
            self._outage.begin(outcome.reason)
            step = tries.failed(outcome)
            await self._clock.sleep(step if isinstance(step, float) else 1.0)

    async def _attempt(self, batch: Batch) -> Outcome:
        if not batch.records and self._positions is None:
            return Done()
        began = self._clock.monotonic()
        try:
            with tracing.each("consumer", (traced_messages.processed(read, self._group) for read in batch.records)):
                outcome = await self._handler(batch)
        except (PositionMoved, TooManyDead, lease.LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 - the table says whose fault it is
            outcome = classify(error)
            if outcome.ill is Ill.RECORD:
                self._metrics.retries.labels(self._group, Ill.RECORD.value).inc()
                alone = error if len(batch.records) <= 1 else None  # the trace of the guilty record, not of each half
                _LOG.warning("a batch failed", group=self._group, records=len(batch.records), exc_info=alone)
                if is_given(error):
                    outcome = Dead(DeadReason.HANDLER_FAILED, f"what it holds is refused: {outcome.reason}")
        for topic in {partition.topic for partition in batch.spans}:
            seconds = self._metrics.handler_seconds.labels(topic, "batch")
            seconds.observe(self._clock.monotonic() - began, traced_messages.exemplar(batch, topic))
        return outcome

    def _advance(self, batch: Batch) -> None:
        self._death_rate.alive(len(batch.records))
        for partition, span in batch.spans.items():
            self._marks[partition] = span.next
        for topic, count in Counter(received.partition.topic for received in batch.records).items():
            self._metrics.handled.labels(topic, "done").inc(count)
