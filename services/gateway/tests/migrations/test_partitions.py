"""Partitions come before they are needed, go after their retention, and nobody waits for either."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
NAMES = "select count(*) from pg_inherits where inhparent = $1::regclass"


async def count(owner: asyncpg.Connection, parent: str) -> int:
    found: int = await owner.fetchval(NAMES, parent)
    return found


async def test_a_week_later_the_new_are_there_and_the_old_are_gone(owner: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    before = await count(owner, "inbox"), await count(owner, "changes")
    while await owner.fetchval("select maintain_partitions($1, 20)", now + timedelta(days=7)):
        pass
    assert (await count(owner, "inbox"), await count(owner, "changes")) == before
    newest = f"inbox_{now + timedelta(days=9):%Y%m%d}"
    assert await owner.fetchval("select to_regclass($1) is not null", newest)


async def test_what_fell_into_the_default_moves_to_its_partition(owner: asyncpg.Connection) -> None:
    later = datetime.now(UTC) + timedelta(days=20)
    await owner.execute("insert into inbox values ($1, 'gateway', gen_random_uuid())", later.date())
    await owner.execute("insert into changes (at, type) values ($1, 'test')", later)
    await owner.fetchval("select maintain_partitions($1, 1000)", later)
    assert await owner.fetchval("select tableoid::regclass::text from inbox") == f"inbox_{later:%Y%m%d}"
    assert await owner.fetchval("select tableoid::regclass::text from changes") == f"changes_{later:%Y%m%d%H}"


async def test_what_the_default_holds_ends_with_its_retention_too(owner: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    await owner.execute("insert into inbox values ($1, 'gateway', gen_random_uuid())", now.date() - timedelta(days=40))
    await owner.execute("insert into changes (at, type) values ($1, 'test')", now - timedelta(days=2))
    await owner.fetchval("select maintain_partitions($1)", now)
    assert await owner.fetchval("select (select count(*) from inbox) + (select count(*) from changes)") == 0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
async def test_a_session_in_another_zone_makes_the_same_partitions(owner: asyncpg.Connection, zone: str) -> None:
    await owner.execute(f"set timezone = '{zone}'")
    rows = await owner.fetch("select * from wanted_partitions($1) where parent = 'changes' order by name limit 2", NOW)
    assert [row["name"] for row in rows] == ["changes_2026112211", "changes_2026112212"]
    assert rows[0]["lower_bound"] == "2026-11-22 11:00:00+00"


async def test_a_busy_parent_is_not_waited_for(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with migrated.connect("clearline_relay") as clock, owner.transaction():
        await owner.execute("lock table changes_other in access share mode")
        await owner.execute("insert into changes (type) values ('busy')")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await clock.fetchval("select maintain_partitions($1)", later, timeout=5)
    async with migrated.connect("clearline_relay") as clock:
        assert await clock.fetchval("select maintain_partitions($1)", later) == 1


async def test_two_clocks_at_once_make_each_partition_once(migrated: MigratedDatabase) -> None:
    now = datetime.now(UTC)

    async def turn(as_of: datetime) -> int:
        total = 0
        async with migrated.connect("clearline_relay") as clock:
            while done := await clock.fetchval("select maintain_partitions($1, 10)", as_of):
                total += done
        return total

    await turn(now)  # the database is a copy of one that may have been made before midnight
    later = now + timedelta(days=2)
    done = await asyncio.gather(turn(later), turn(later))
    assert (
        sum(done) == 2 * 2 + 10 + 10
    )  # two days; every hour from the one before now to the eighth after: made and dropped
