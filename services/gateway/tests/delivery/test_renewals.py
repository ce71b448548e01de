"""The clock renews what proves live revisions, once, whoever else asks at the same time, and takes nothing away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_revision, add_verification, succeed

from clearline.chassis.clock import SystemClock
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import open_pool
from gateway.renewals import BACKLOG, MOST, MOST_UNDER_WAY, TURNS, Renewals
from gateway.unproven import UnprovenConnections

NOW = datetime.now(UTC)
LATE = timedelta(hours=23)
"""After 90 % of a day: everything verified now is due."""


@asynccontextmanager
async def clocks(migrated: MigratedDatabase, count: int = 1) -> AsyncIterator[list["Clock"]]:
    pool = await open_pool(migrated.login("clearline_relay"), name="test-renewals", max_size=4)
    try:
        yield [Clock(pool) for _ in range(count)]
    finally:
        await pool.close()


class Clock:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def turn(self, after: timedelta = timedelta(0)) -> None:
        """As the timekeeper does it, when the database's clock says that it is so late."""
        for _ in range(TURNS):
            async with self.pool.acquire() as connection, connection.transaction():
                if not await Renewals().renew(connection, NOW + after):
                    return


async def activate(owner: asyncpg.Connection, connection_id: UUID | None = None) -> UUID:
    """A connection that is live by a success of now, valid for a day."""
    connection_id = connection_id or await add_connection(owner)
    verification_id = await add_verification(owner, connection_id)
    await succeed(owner, verification_id)
    await owner.execute(
        "update service_connection_profiles set lifecycle = 'active', live_revision = 1, live_verification_id = $2 "
        "where id = $1",
        *(connection_id, verification_id),
    )
    return connection_id


async def end_renewal(owner: asyncpg.Connection, retry_class: str | None, at: timedelta) -> None:
    """The newest verification ends: well without a class."""
    await owner.execute(
        "update verifications set outcome = case when $1::text is null then 'verified' else 'failed' end, "
        "completed_at = $2::timestamptz, "
        "expires_at = case when $1::text is null then $2::timestamptz + interval '1 day' end, "
        "failure = case when $1::text is not null then jsonb_build_object('retry_class', $1::text) end "
        "where outcome = 'pending'",
        *(retry_class, NOW + at),
    )


async def renewals(owner: asyncpg.Connection) -> int:
    found: int = await owner.fetchval("select count(*) from verifications where why = 'renewal'")
    return found


async def test_a_live_revision_is_renewed_before_it_expires(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await activate(owner)
    async with clocks(migrated) as (clock,):
        for hours in (0, 1, 17):
            await clock.turn(timedelta(hours=hours))
            assert not await renewals(owner)
        await clock.turn(LATE)
        await clock.turn(LATE + timedelta(minutes=2))  # pending: no second one
    [row] = await owner.fetch("select * from verifications where why = 'renewal'")
    assert (row["connection_id"], row["revision"], row["requested_by"]) == (connection_id, 1, "clock")
    [told] = await owner.fetch("select topic, key, value, headers from outbox")
    body = msgspec.json.decode(told["value"])
    assert (told["topic"], told["key"]) == ("clearline.verification-requests", str(connection_id))
    assert (body["why"], body["verification_id"], body["revision"]) == ("renewal", str(row["id"]), 1)
    assert (body["config"], list(body["envelopes"])) == ({"host": "127.0.0.1", "port": 1}, ["password"])
    assert dict(told["headers"])["ce_correlationid"] == row["correlation_id"]
    assert await owner.fetchval("select count(*) from changes") == 1


async def test_what_nobody_relies_on_is_not_renewed(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    inactive = await add_connection(owner)
    await succeed(owner, await add_verification(owner, inactive))
    live = await activate(owner)
    await add_revision(owner, live, 2)
    await succeed(owner, await add_verification(owner, live, revision=2))
    await owner.execute("update service_connection_profiles set revision = 2 where id = $1", live)
    async with clocks(migrated) as (clock,):
        await clock.turn(LATE)
    rows = await owner.fetch("select connection_id, revision from verifications where why = 'renewal'")
    assert [tuple(row) for row in rows] == [(live, 1)], "neither the inactive one nor the staged revision"


async def test_a_renewal_that_fails_takes_nothing_away(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    await activate(owner)
    before = await owner.fetchrow(
        "select lifecycle, live_revision, live_verification_id from service_connection_profiles"
    )
    async with clocks(migrated) as (clock,):
        await clock.turn(LATE)
        await end_renewal(owner, "transient", LATE)
        assert before == await owner.fetchrow(
            "select lifecycle, live_revision, live_verification_id from service_connection_profiles"
        )
        await clock.turn(LATE + timedelta(seconds=50))
        assert await renewals(owner) == 1
        await clock.turn(LATE + timedelta(seconds=61))
        assert await renewals(owner) == 2, "a minute later again"
        await end_renewal(owner, "config", LATE + timedelta(minutes=2))
        await clock.turn(LATE + timedelta(hours=17))
        assert await renewals(owner) == 2, "somebody has to act first"
        await clock.turn(LATE + LATE)
        assert await renewals(owner) == 3, "or the next window comes"
        await end_renewal(owner, None, LATE + LATE)
        await clock.turn(LATE + LATE + timedelta(hours=17))
        assert await renewals(owner) == 3
        await clock.turn(LATE + LATE + LATE)
        assert await renewals(owner) == 4


async def test_several_gateways_and_a_person_at_once_make_one(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    ids = [await activate(owner) for _ in range(20)]

    async def by_hand(connection_id: UUID) -> None:
        async with migrated.connect() as person, person.transaction():
            await person.execute("select from service_connection_profiles where id = $1 for update", connection_id)
            pending = "select from verifications where connection_id = $1 and outcome = 'pending'"
            if await person.fetchrow(pending, connection_id) is None:
                await add_verification(person, connection_id)

    async with clocks(migrated, 3) as several:
        await asyncio.gather(*(clock.turn(LATE) for clock in several), *(by_hand(each) for each in ids))
        for clock in several:
            await clock.turn(LATE + timedelta(minutes=2))
    rows = await owner.fetch("select connection_id from verifications where outcome = 'pending'")
    assert sorted(row["connection_id"] for row in rows) == sorted(ids)
    assert await owner.fetchval("select count(*) from outbox") == await renewals(owner)


async def test_one_turn_does_not_flood(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    for _ in range(MOST * TURNS + 5):
        await activate(owner)
    async with clocks(migrated) as (clock,):
        await clock.turn(LATE)
        assert await renewals(owner) == MOST * TURNS
        await clock.turn(LATE)
        assert await renewals(owner) == MOST * TURNS + 5


async def test_no_more_are_under_way_than_the_verifier_can_answer_in_time(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    due = [await activate(owner) for _ in range(3)]
    for revision in range(2, MOST_UNDER_WAY + 1):
        await add_revision(owner, due[0], revision)
    await owner.execute(
        "insert into verifications "
        "(id, connection_id, environment, revision, why, correlation_id, requested_at, requested_by, deadline) "
        "select gen_random_uuid(), connection_id, environment, revision, 'renewal', 'c', now(), 'clock', now() "
        "from connection_revisions where revision > 1"
    )
    async with clocks(migrated) as (clock,):
        await clock.turn(LATE)
        assert await renewals(owner) == MOST_UNDER_WAY, "room for one of the three"
        await end_renewal(owner, None, LATE)
        await clock.turn(LATE)
        assert await renewals(owner) == MOST_UNDER_WAY + 2


async def test_nothing_is_asked_for_that_kafka_would_take_too_late(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await activate(owner)
    await owner.execute(
        "insert into outbox (topic, key, headers, value) select 't', 'k', '[]', '' from generate_series(1, $1)",
        BACKLOG + 1,
    )
    async with clocks(migrated) as (clock,):
        await clock.turn(LATE)
        assert not await renewals(owner)
        await owner.execute("update outbox set parked_at = now(), parked_why = 'refused for good'")
        await clock.turn(LATE)
        assert await renewals(owner) == 1


async def test_another_live_revision_is_looked_at_anew(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    connection_id = await activate(owner)
    async with clocks(migrated) as (clock,):
        await clock.turn()
    assert await owner.fetchval("select renew_at > now() + interval '17 hours' from service_connection_profiles")
    await add_revision(owner, connection_id, 2)
    verification_id = await add_verification(owner, connection_id, revision=2)
    await succeed(owner, verification_id)
    first = await owner.fetchval("select live_verification_id from service_connection_profiles")
    for live, proof, expected in ((1, first, False), (2, verification_id, True)):
        values: tuple[object, ...] = (connection_id, "x", None, {}, "active", 2, live, proof, None, 2, NOW, "test")
        await owner.execute(sql("profile_update"), *values)
        assert await owner.fetchval("select renew_at is null from service_connection_profiles") is expected


async def test_the_clock_may_add_nothing_but_renewals_of_what_is_live(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    async with migrated.connect("clearline_relay") as relay:
        ask = "select insert_renewal($1, $2, 1, 'corr-1234', now(), 'clock', now())"
        assert not await relay.fetchval(ask, uuid4(), connection_id)
        await activate(owner, connection_id)
        assert await relay.fetchval(ask, uuid4(), connection_id)
        assert not await relay.fetchval(ask, uuid4(), connection_id)


async def test_what_is_live_and_unproven_is_counted(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    registry = CollectorRegistry()
    expired, failing, _fine = [await activate(owner) for _ in range(3)]
    await owner.execute("set session_replication_role = replica")
    await owner.execute("update verifications set expires_at = now() where connection_id = $1", expired)
    await owner.execute("set session_replication_role = origin")
    await add_verification(owner, failing)
    await end_renewal(owner, "config", datetime.now(UTC) - NOW + timedelta(minutes=1))

    def counted(status: str, environment: str = "development") -> float | None:
        labels = {"environment": environment, "status": status}
        return registry.get_sample_value("clearline_connections_unproven", labels)

    async with clocks(migrated) as (clock,):
        await UnprovenConnections(clock.pool, GatewayMetrics(registry), SystemClock()).count()
    assert (counted("expired"), counted("failed"), counted("cancelled")) == (1, 1, 0)
    assert counted("failed", "production") == 0
