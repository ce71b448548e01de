"""What is due is done once, by any number of gateways, and not a moment before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_test, add_verification

from clearline.chassis.clock import SystemClock
from gateway.clock import Timekeeper, database_time, forgotten_before, pause, retired_before
from gateway.metrics import GatewayMetrics
from gateway.overdue import overdue_before, overdue_failure
from gateway.read_model.pools import open_pool

NOW = datetime.now(UTC)


def test_the_decisions() -> None:
    assert overdue_before(NOW) == NOW - timedelta(minutes=1)
    assert forgotten_before(NOW) == NOW - timedelta(days=1)
    assert retired_before(NOW) == NOW - timedelta(days=7)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_the_pause_is_give_or_take_a_fifth(chance: float) -> None:
    assert 8 <= pause(timedelta(seconds=10), chance) < 12


def test_an_overdue_failure_speaks_to_people() -> None:
    failure = overdue_failure()
    assert failure.code == "VERIFICATION_OVERDUE"
    assert failure.message
    assert failure.remediation


class Lying(SystemClock):
    """The clock of a machine that is 40 days ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=40)


@asynccontextmanager
async def timekeepers(
    migrated: MigratedDatabase, now: datetime | None, count: int = 1
) -> AsyncIterator[list[Timekeeper]]:
    """Gateways for whose database it is `now`; None is its own time. Their own clocks lie."""

    async def told(_: object) -> datetime:
        assert now is not None
        return now

    pool = await open_pool(migrated.login("clearline_relay"), name="test-clock", max_size=4)
    made = [
        Timekeeper(
            pool=pool,
            clock=Lying(),
            metrics=GatewayMetrics(CollectorRegistry()),
            interval=timedelta(seconds=1),
            chance=lambda: 0.5,
            time=told if now is not None else database_time,
        )
        for _ in range(count)
    ]
    try:
        yield made
    finally:
        await pool.close()


async def test_what_nobody_answered_ends_a_minute_after_its_deadline(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    verification_id = await add_verification(owner, connection_id, deadline=NOW)
    async with timekeepers(migrated, NOW + timedelta(seconds=59)) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select outcome from verifications") == "pending"
    async with timekeepers(migrated, NOW + timedelta(seconds=61)) as (clock,):
        await clock.turn()
    [row] = await owner.fetch("select outcome, failure from verifications where id = $1", verification_id)
    assert (row["outcome"], row["failure"]["code"]) == ("failed", "VERIFICATION_OVERDUE")
    assert await owner.fetchval("select count(*) from verification_operator_details") == 1
    assert await owner.fetchval("select connection_id from changes") == connection_id


async def test_a_gateway_whose_clock_is_ahead_ends_nothing_early_and_drops_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_verification(owner, await add_connection(owner))
    retired = await add_connection(owner)
    await owner.execute(
        "update service_connection_profiles set lifecycle = 'retired', retired_at = clock_timestamp() where id = $1",
        retired,
    )
    partitions = "select array_agg(relname::text order by relname) from pg_class where relname ~ '^inbox_[0-9]+$'"
    before = await owner.fetchval(partitions)
    async with timekeepers(migrated, None) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select outcome from verifications") == "pending"
    assert await owner.fetchval("select not exists (select from outbox)")
    assert await owner.fetchval(partitions) == before


async def test_a_duty_that_stumbles_stops_neither_the_others_nor_the_gateway(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    async def stumbles(_connection: object, _now: datetime) -> int:
        raise AssertionError("a row that cannot be")

    await add_verification(owner, await add_connection(owner), deadline=NOW - timedelta(minutes=2))
    async with timekeepers(migrated, None) as (clock,):
        clock._duties = {"renewals": (stumbles, 1), **{k: v for k, v in clock._duties.items() if k != "renewals"}}
        await clock.turn()
        assert clock._metrics.clock_failed.labels("renewals")._value.get() == 1
    assert await owner.fetchval("select outcome from verifications") == "failed"


async def test_an_end_that_nobody_gave_is_dated_by_the_database(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_verification(owner, await add_connection(owner), deadline=NOW - timedelta(minutes=2))
    async with timekeepers(migrated, None) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select completed_at between requested_at and clock_timestamp() from verifications")


async def test_a_test_that_nobody_answered_ends_and_none_outlives_its_hour(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_test(owner, requested_at=NOW)
    for minutes, outcome in ((5, "pending"), (7, "failed"), (59, "failed")):
        async with timekeepers(migrated, NOW + timedelta(minutes=minutes)) as (clock,):
            await clock.turn()
        assert await owner.fetchval("select outcome from connection_tests") == outcome
    failure = await owner.fetchval("select failure from connection_tests where operator_detail is not null")
    assert failure["code"] == "VERIFICATION_OVERDUE"
    async with timekeepers(migrated, NOW + timedelta(minutes=61)) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select not exists (select from connection_tests)")


async def test_three_gateways_share_what_is_due_and_do_it_once(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    for _ in range(30):
        await add_verification(owner, await add_connection(owner), deadline=NOW)
    async with timekeepers(migrated, NOW + timedelta(minutes=2), count=3) as clocks:
        await asyncio.gather(*(clock.turn() for clock in clocks))
    assert await owner.fetchval("select count(*) from changes") == 30
    assert await owner.fetchval("select count(*) from verifications where outcome = 'failed'") == 30


async def test_a_retired_connection_is_buried_once_after_seven_days(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    await owner.execute("update service_connection_profiles set lifecycle = 'retired', retired_at = $1", NOW)
    for days, expected in ((6, []), (8, [str(connection_id)]), (9, [str(connection_id)])):
        async with timekeepers(migrated, NOW + timedelta(days=days), count=2) as clocks:
            await asyncio.gather(*(clock.turn() for clock in clocks))
        assert [row["key"] for row in await owner.fetch("select key from outbox where value is null")] == expected


async def test_the_partitions_of_tomorrow_are_made_today(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    async with timekeepers(migrated, NOW + timedelta(days=1)) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select to_regclass($1) is not null", f"inbox_{NOW + timedelta(days=3):%Y%m%d}")


async def test_a_duty_that_fails_does_not_keep_the_others_from_theirs(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    await owner.execute("update service_connection_profiles set lifecycle = 'retired', retired_at = $1", NOW)
    await owner.execute("alter table verifications rename to lost")
    async with timekeepers(migrated, NOW + timedelta(days=8)) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select key from outbox") == str(connection_id)


async def test_idempotency_keys_are_forgotten_after_a_day(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    for key, age in (("old", "24 hours 1 second"), ("young", "23 hours 59 minutes")):
        await owner.execute(
            "insert into idempotency_keys (token_id, key, fingerprint, created_at) "
            "values (gen_random_uuid(), $1, 'f', clock_timestamp() - $2::text::interval)",
            *(key, age),
        )
    async with timekeepers(migrated, None) as (timekeeper,):
        await timekeeper.turn()
    assert [row["key"] for row in await owner.fetch("select key from idempotency_keys")] == ["young"]
