"""P2: what it costs to project an event: position, inbox, fold and row in one transaction of a thousand events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from bench.measuring import Figure, Run, Stopwatch, compare
from bench.servers import Servers
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import MigratedDatabase
from services.gateway.tests.projections.projecting import Projecting, projecting

from clearline.contracts.event import Event

BATCH = 1_000
BATCHES = 20
_STEPS = 6
EVENTS_EACH = _STEPS + 1
"""A verification tells of each of its steps and then of its end."""
ONE_BY_ONE = 300
_PENDING = (
    (
        "insert into service_connection_profiles (id, name, environment, kind, beat, revision, sequence, created_at,"
        " created_by, updated_at, updated_by) select id, id::text, 'development', 'tcp', '{}', 1, 1, now(), 'bench',"
        " now(), 'bench' from unnest($1::uuid[]) as given (id)"
    ),
    (
        "insert into connection_revisions (connection_id, environment, revision, config, destination, created_at,"
        " created_by) select id, 'development', 1, '{}', 'tcp://127.0.0.1:1', now(), 'bench'"
        " from unnest($1::uuid[]) as given (id)"
    ),
    (
        "insert into verifications (id, connection_id, environment, revision, why, correlation_id, requested_at,"
        " requested_by, deadline) select id, id, 'development', 1, 'manual', 'bench-correlation', now(), 'bench',"
        " now() + interval '1 day' from unnest($1::uuid[]) as given (id)"
    ),
)
"""Rows as commands leave them, each connection's and its verification's id the same."""


async def projecting_batches(servers: Servers, scale: float) -> list[Figure]:
    """The projector against COPY, and against itself one event at a time."""
    batches = max(2, round(BATCHES * scale))
    async with servers.migrated() as database, database.connect() as owner, projecting(database) as member:
        await owner.execute("create table bench_floor (id uuid primary key, day date not null, body text not null)")
        place = ProjectingPlace(database, owner, member)
        copied = await compare(lambda: place.projected(batches, BATCH), lambda: place.copied(batches))
        alone = await compare(
            lambda: place.projected(batches, BATCH), lambda: place.projected(round(ONE_BY_ONE * scale), 1)
        )
    what = "project 1,000 events in a transaction"
    return [
        Figure(number="P2", what=what, floor="COPY of as many rows into a table with a primary key", sense="at least",
               goal=0.30, pairs=copied, unit="events/s"),
        Figure(number="P2", what=what, floor="one event per transaction", sense="at least", goal=25,
               pairs=alone, unit="events/s"),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProjectingPlace:
    """One projector and one database; every run brings events of verifications that are still pending."""

    database: MigratedDatabase
    owner: asyncpg.Connection
    member: Projecting

    async def projected(self, batches: int, size: int) -> Run:
        """The time from the first batch to the last commit; the pending verifications are made before."""
        amount = batches * size
        events = await self.told(amount)
        with Stopwatch() as watch:
            for first in range(0, amount, size):
                await self.member.take(*events[first : first + size])
        return watch.run(amount)

    async def copied(self, batches: int) -> Run:
        """As many rows of as many bytes, a transaction per thousand."""
        body = "x" * 300
        rows = [[(uuid4(), None, body) for _ in range(BATCH)] for _ in range(batches)]
        day = await self.owner.fetchval("select current_date")
        with Stopwatch() as watch:
            for each in rows:
                async with self.owner.transaction():
                    await self.owner.copy_records_to_table(
                        "bench_floor", records=[(key, day, text) for key, _, text in each]
                    )
        return watch.run(batches * BATCH)

    async def told(self, amount: int) -> list[Event]:
        """So many events of verifications that wait for them."""
        return list(_told(await self._pending(-(-amount // EVENTS_EACH))))[:amount]

    async def _pending(self, amount: int) -> Sequence[UUID]:
        """Verifications that wait for their events, each of a connection of its own."""
        ids = [uuid4() for _ in range(amount)]
        for statement in _PENDING:
            await self.owner.execute(statement, ids)
        return ids


def _told(ids: Sequence[UUID]) -> Iterator[Event]:
    """What a verifier says of them: every step, then the end."""
    for verification_id in ids:
        for number in range(_STEPS):
            yield progressed(verification_id, number)
        yield verified(verification_id, steps=_STEPS)
