"""R7's recovery: what waited while the database was frozen is projected as fast as if nothing had been frozen.

*Recovery* is from the thaw to the last effect of all that came during the freeze. *Ideal* is what the same projector
needs for the same backlog in the same run, from its first effect to its last, with a database that always answered:
taken before and after the freeze, and the slower counts, because a machine is not as fast all the time. What is
between the two is how late the projector notices that its database is back.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import add_connection
from tests.faults.installation import Installation, installed
from tests.faults.poison import writing
from tests.faults.summary import record
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

from clearline.contracts.topics import VERIFICATIONS
from gateway.read_model.pools import speak_json

FREEZE_SECONDS = float(os.environ.get("CLEARLINE_FAULTS_FREEZE_SECONDS", "8"))
LONG = FREEZE_SECONDS >= 60
FACTS_PER_SECOND = 2000  # of nearly 300 commands a second, each of which brings about seven
STEPS = 6
GOAL = 1.2
NOTICED_SECONDS = 5.0
"""At most two until the next try, and the first batch on a machine with other things to do."""
ALLOWED_SECONDS = 0.0 if LONG else NOTICED_SECONDS
"""The short form's backlog takes a second or two, of which one wait is more than a fifth."""
_PENDING = """
with made as (
  insert into connection_revisions (connection_id, environment, revision, config, destination, created_at, created_by)
  select $1, 'development', number, '{}', 'd', now(), 'test' from generate_series(2, $2 + 1) as number
  returning connection_id, environment, revision)
insert into verifications (id, connection_id, environment, revision, why, correlation_id, requested_at, requested_by,
  deadline)
select gen_random_uuid(), connection_id, environment, revision, 'manual', 'corr-test-1', now(), 'recovery',
  now() + interval '1 hour' from made
returning id
"""
_LEFT = "select count(*) from verifications where outcome = 'pending' and requested_by = 'recovery'"


@dataclass(frozen=True)
class Stage:
    """An installation, and where its rows are looked at."""

    installation: Installation
    kafka: KafkaServer
    postgres: PostgresServer
    owner: asyncpg.Connection

    async def pending(self) -> list[UUID]:
        """Verifications that wait for the facts of one freeze."""
        count = int(FREEZE_SECONDS * FACTS_PER_SECOND) // (STEPS + 1)
        rows = await self.owner.fetch(_PENDING, await add_connection(self.owner), count)
        return [row["id"] for row in rows]

    async def tell(self, ids: list[UUID]) -> None:
        """As verifiers do, side by side: the first steps of all, then the next."""
        async with writing(self.kafka.bootstrap) as writer:
            for number in range(STEPS):
                for each in ids:
                    await writer.write(progressed(each, number), VERIFICATIONS)
            for each in ids:
                await writer.write(verified(each), VERIFICATIONS)

    async def ideal(self) -> float:
        """Seconds for a backlog that the projector finds at its start."""
        projector, ids = self.installation.processes["projector"], await self.pending()
        await projector.stop()
        await self.tell(ids)
        before = await self.projected()
        starting = asyncio.create_task(projector.start())
        await self.more_than(before)
        began, done = time.monotonic(), await self.projected() - before
        await self.all_projected()
        await starting
        return (time.monotonic() - began) / (1 - done / (len(ids) * (STEPS + 1)))

    async def recovery(self) -> tuple[float, float]:
        """Seconds from the thaw for a backlog that came during the freeze; and those to the first effect."""
        ids, before = await self.pending(), await self.projected()
        self.postgres.pause()
        thaw = time.monotonic() + FREEZE_SECONDS
        try:
            await self.tell(ids)
            assert time.monotonic() < thaw, "the backlog was not written in time"
            await asyncio.sleep(thaw - time.monotonic())  # the freeze itself; nothing is waited for
        finally:
            self.postgres.resume()
        began = time.monotonic()
        await self.more_than(before)
        noticed = time.monotonic() - began
        await self.all_projected()
        return time.monotonic() - began, noticed

    async def more_than(self, before: int) -> None:
        async def more() -> bool:
            return await self.projected() > before

        await until(more, within=60, every=0.01)

    async def projected(self) -> int:
        """How many facts were projected, ever."""
        return int(await self.owner.fetchval("select coalesce(sum(next_offset), 0) from positions"))

    async def all_projected(self) -> None:
        await until(self._none_is_left, within=600, every=0.02)

    async def _none_is_left(self) -> bool:
        return bool(await self.owner.fetchval(_LEFT) == 0)


@asynccontextmanager
async def stage(folder: Path, kafka: KafkaServer, postgres: PostgresServer) -> AsyncIterator[Stage]:
    async with installed(folder, kafka, postgres) as installation:
        owner = await asyncpg.connect(postgres.dsn)
        await speak_json(owner)
        try:
            yield Stage(installation, kafka, postgres, owner)
        finally:
            await owner.close()


@pytest.mark.timeout(600 + 20 * FREEZE_SECONDS)
async def test_what_came_during_a_freeze_is_caught_up_with_as_fast_as_ever(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, own_kafka, own_postgres) as scene:
        before, (recovery, noticed), after = await scene.ideal(), await scene.recovery(), await scene.ideal()
    ideal = max(before, after)
    told = {
        "facts that came meanwhile": int(FREEZE_SECONDS * FACTS_PER_SECOND),
        "seconds from the thaw until the first was seen": round(noticed, 2),
        "seconds from the thaw until all were seen": round(recovery, 2),
        "seconds for as many without a freeze, before and after": f"{before:.2f}, {after:.2f}",
        "ratio to the longer of these (at most 1.2)": round(recovery / ideal, 2),
    }
    record(f"A projector whose database froze for {FREEZE_SECONDS:g} s", told)
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert noticed <= NOTICED_SECONDS
    assert recovery <= GOAL * ideal + ALLOWED_SECONDS
