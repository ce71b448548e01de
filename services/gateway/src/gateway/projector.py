"""Facts from Kafka into the read models: a batch, its position and its effects are one transaction.

The position in PostgreSQL is the only truth. A batch that does not begin at it is rolled back, which fences a projector
that lost its partition unawares; whatever happened, each event has its effect once. A guilty record is named, and given
up before a position passes it; its batch goes on without it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC

import asyncpg

from clearline.chassis.consumption import Batch, PositionMoved, Received
from clearline.chassis.halving import Search
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.retry import is_given
from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS, VERIFICATIONS, Topic
from gateway.projections import PROJECTIONS, Projection, Surroundings
from gateway.projections.unfit import Unfit
from gateway.read_model import sql
from gateway.read_model.pools import Connection
from gateway.read_model.positions import StoredPositions

CONSUMER = "gateway"
"""Consumer group in Kafka, and owner of the positions and the inbox in PostgreSQL."""
MANY = 20
"""Guilty records in one transaction. Of more its consumer makes smaller ones, so that what goes well is stored before
the limit on dead letters stops all."""
TOPICS: tuple[Topic, ...] = (CONNECTIONS, VERIFICATIONS)


class Projector:
    """The handler of a `BatchConsumer` whose positions are `positions`."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        positions: StoredPositions,
        around: Surroundings,
        projections: Sequence[Projection] = PROJECTIONS,
    ) -> None:
        self._pool = pool
        self._positions = positions
        self._around = around
        self._projections = projections
        self._read_by = {each.name: {event_type.name for event_type in each.types} for each in projections}
        """By name: comparing whole types was a tenth of a batch's work."""

    async def handle(self, batch: Batch) -> Outcome:
        """Project one batch. Raises `PositionMoved` if it does not begin where the last one ended."""
        records = batch.records
        while True:
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await self._advance(connection, batch)
                    await self._project(connection, records)
            except Unfit as unfit:
                if len(batch.records) - len(records) >= MANY:
                    raise
                guilty, records = _without(records, unfit.event)
                await batch.give_up(guilty, unfit.__cause__ or unfit)
            except Exception as error:
                if len(records) <= 1 or not is_given(error):
                    raise
                await self._in_pieces(batch, records)
                return Done()
            else:
                return Done()

    async def _in_pieces(self, batch: Batch, records: Sequence[Received]) -> None:
        """What failed as a whole for what one of it holds: halved inside one transaction, whose good pieces stay."""
        guilty: list[tuple[Received, BaseException]] = []
        async with self._pool.acquire() as connection, connection.transaction():
            await self._advance(connection, batch)
            search = Search.of_failed(Batch(records, {}))
            while (piece := search.next()) is not None:
                if len(guilty) > MANY:
                    raise guilty[-1][1]
                try:
                    async with connection.transaction():
                        await self._project(connection, piece.records)
                except Unfit as unfit:
                    named, rest = _without(piece.records, unfit.event)
                    guilty.append((named, unfit.__cause__ or unfit))
                    search.again(Batch(rest, {}))
                except Exception as error:
                    if not is_given(error):
                        raise
                    if len(piece.records) > 1:
                        search.failed(piece)
                    else:
                        guilty.append((piece.records[0], error))
                else:
                    search.done()
            for each, why in guilty:
                await batch.give_up(each, why)

    async def _advance(self, connection: Connection, batch: Batch) -> None:
        if not await self._positions.advance(connection, batch.spans):
            self._around.metrics.fenced.inc()
            raise PositionMoved

    async def _project(self, connection: Connection, records: Sequence[Received]) -> None:
        events = [received.event for received in records if received.event is not None]
        fresh = await self._unseen(connection, events)
        for projection in self._projections:
            types = self._read_by[projection.name]
            taken = [e for e in (fresh if projection.uses_inbox else events) if e.type.name in types]
            if taken:
                await projection.apply(connection, taken, self._around)

    async def _unseen(self, connection: Connection, events: Sequence[Event]) -> list[Event]:
        """Events of inbox projections that have had no effect, each once. The day comes from the event."""
        types = {name for each in self._projections if each.uses_inbox for name in self._read_by[each.name]}
        candidates = [event for event in events if event.type.name in types]
        if not candidates:
            return []
        days = [event.time.astimezone(UTC).date() for event in candidates]
        rows = await connection.fetch(sql("inbox_take"), CONSUMER, days, [event.id for event in candidates])
        unseen = _once(candidates, {row["event_id"] for row in rows})
        self._around.metrics.repeats.inc(len(candidates) - len(unseen))
        return unseen


def _once(events: Iterable[Event], wanted: set[object]) -> list[Event]:
    """The first copy of each wanted event, in order."""
    first: list[Event] = []
    for event in events:
        if event.id in wanted:
            wanted.discard(event.id)
            first.append(event)
    return first


def _without(records: Sequence[Received], guilty: Event) -> tuple[Received, list[Received]]:
    """The record of this very event, and all others."""
    named = next(received for received in records if received.event is guilty)
    return named, [received for received in records if received is not named]
