"""The projector as it runs: on a real Kafka, while members come and go and while its database is away."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from services.gateway.tests.bus import everything_on, kafka_settings, own, producer
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import LOGINS, PASSWORD, MigratedDatabase, add_connection, add_verification
from tests.faults.summary import record
from tests.harness.places import unique
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.contracts.topics import CONNECTIONS, DEAD_LETTERS, VERIFICATIONS, Topic
from gateway.metrics import GatewayMetrics
from gateway.migrate import migrate
from gateway.projections import Surroundings
from gateway.projector import Projector
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id

OUTAGE_SECONDS = float(os.environ.get("CLEARLINE_FAULTS_OUTAGE_SECONDS", "30")) / 2  # frozen, and as long again killed
FACTS = 200


@dataclass(frozen=True)
class Bus:
    """The topics of one test."""

    bootstrap: str
    facts: Topic
    dead: Topic
    group: str


async def bus_of(kafka: str) -> Bus:
    return Bus(kafka, await own(kafka, VERIFICATIONS), await own(kafka, DEAD_LETTERS), unique("projector"))


@asynccontextmanager
async def member(
    bus: Bus, migrated: MigratedDatabase, told: Metrics | None = None, *, max_records: int = 50
) -> AsyncIterator[BatchConsumer]:
    """One `gateway project` in small."""
    settings, clock, metrics = kafka_settings(bus.bootstrap), SystemClock(), told or Metrics()
    pool = await open_pool(migrated.login("clearline_projector"), name="member", max_size=2, statement_timeout_ms=3000)
    positions = StoredPositions(pool, bus.group, partial(ask_cluster_id, settings))
    around = Surroundings(clock, GatewayMetrics(metrics.registry), timedelta(hours=1), CONNECTIONS)
    publisher = producer(bus.bootstrap)
    consumer = BatchConsumer(
        settings=settings,
        topics=[bus.facts],
        group=bus.group,
        handler=Projector(pool=pool, positions=positions, around=around).handle,
        producer=publisher,
        metrics=metrics,
        clock=clock,
        positions=positions,
        max_records=max_records,
        dead_letters=bus.dead,
    )
    around.metrics.follow(consumer.status)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await consumer.stop(5)
        await running
        await publisher.stop()
        pool.terminate()


async def speak(bus: Bus, ids: list[UUID], pause: float) -> None:
    """A verifier that repeats every third of its facts."""
    publisher = producer(bus.bootstrap)
    for number, verification_id in enumerate(ids):
        said = [*(progressed(verification_id, step) for step in range(6)), verified(verification_id)]
        for fact in said + (said if number % 3 == 0 else []):
            await publisher.publish(fact, bus.facts)
        await asyncio.sleep(pause)
    await publisher.stop()


async def pending(owner: asyncpg.Connection, count: int) -> list[UUID]:
    connection_id = await add_connection(owner)
    ids = []
    for revision in range(2, count + 2):
        await owner.execute(
            "insert into connection_revisions (connection_id, environment, revision, config, destination, created_at, "
            "created_by) values ($1, 'development', $2, '{}', 'd', now(), 'test')",
            *(connection_id, revision),
        )
        ids.append(await add_verification(owner, connection_id, revision=revision))
    return ids


async def all_ended(database: MigratedDatabase) -> bool:
    async with database.connect() as owner:
        return bool(await owner.fetchval("select not exists (select from verifications where outcome = 'pending')"))


STEPS_HELD = "select count(*) from verifications, jsonb_object_keys(steps)"


async def check(bus: Bus, database: MigratedDatabase, count: int) -> None:
    async with database.connect() as owner:
        assert await owner.fetchval("select count(*) from verifications where outcome = 'verified'") == count
        assert await owner.fetchval(STEPS_HELD) == 6 * count
        rows = await owner.fetch("select type, count(*) as told from changes group by type")
        notices = {row["type"]: row["told"] for row in rows}
        assert notices.pop("connection.verified") == count, "a notice too many or too few"
        assert sum(notices.values()) <= 6 * count, "at most one of each step; of those in one batch the last"
        positions = await owner.fetch("select partition, next_offset from positions order by partition")
    ends: dict[int, int] = {}
    for each in await everything_on(bus.bootstrap, bus.facts):
        ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
    assert {row["partition"]: row["next_offset"] for row in positions} == ends
    assert await everything_on(bus.bootstrap, bus.dead) == []


async def test_members_come_and_go_and_each_fact_has_its_effect_once(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    bus, ids = await bus_of(kafka), await pending(owner, 80)
    speaking = asyncio.create_task(speak(bus, ids, pause=0.02))
    async with member(bus, migrated) as first:
        await until(lambda: first.status().healthy, within=20)
        async with member(bus, migrated) as second:
            await until(lambda: second.status().partitions > 0, within=20)
            await first.stop(5)
            await speaking
            await until(lambda: all_ended(migrated), within=30, every=0.1)
            await check(bus, migrated, len(ids))


async def test_the_age_is_that_of_the_oldest_fact_and_zero_when_there_is_none(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    bus, ids, metrics = await bus_of(kafka), await pending(owner, 2), Metrics()

    def age() -> float:
        return metrics.registry.get_sample_value("clearline_projection_position_age_seconds") or 0.0

    async with member(bus, migrated, metrics) as consumer:
        await until(lambda: consumer.status().healthy, within=20)
        await speak(bus, ids[:1], pause=0)
        await until(lambda: owner.fetchval("select exists (select from verifications where outcome <> 'pending')"))
        await until(lambda: age() == 0, what="nothing to be late with")
        async with owner.transaction():
            await owner.execute("lock table verifications in access exclusive mode")
            await speak(bus, ids[1:], pause=0)
            await until(lambda: age() > 1, what="the fact that waits to grow old")
        await until(lambda: all_ended(migrated), within=20)
        await until(lambda: age() == 0, what="the projection to have caught up")


@pytest.fixture
async def own_database(own_postgres: PostgresServer) -> MigratedDatabase:
    await migrate(own_postgres.dsn)
    connection = await asyncpg.connect(own_postgres.dsn)
    for login in LOGINS:
        await connection.execute(f"alter role {login} password '{PASSWORD}'")
    await connection.close()
    return MigratedDatabase("postgres", own_postgres.dsn)


@pytest.mark.timeout(120 + 3 * OUTAGE_SECONDS)
async def test_a_database_that_is_away_for_long_costs_nothing(
    kafka: str, own_postgres: PostgresServer, own_database: MigratedDatabase
) -> None:
    bus = await bus_of(kafka)
    async with own_database.connect() as owner:
        ids = await pending(owner, FACTS)
    speaking = asyncio.create_task(speak(bus, ids, pause=2 * OUTAGE_SECONDS / FACTS))
    async with member(bus, own_database) as consumer:
        await until(lambda: consumer.status().healthy, within=20)
        own_postgres.pause()
        try:
            await asyncio.wait({speaking}, timeout=OUTAGE_SECONDS)
        finally:
            own_postgres.resume()
        await own_postgres.kill()
        await asyncio.wait({speaking}, timeout=OUTAGE_SECONDS)
        assert not speaking.done(), "facts kept coming during the whole outage"
        await own_postgres.start()
        await speaking
        await until(lambda: all_ended(own_database), within=60, every=0.2)
    await check(bus, own_database, len(ids))
    told = {"facts that came meanwhile": len(ids) * 7, "of these seen in the end": len(ids) * 7, "dead letters": 0}
    record(f"A projector whose database was frozen, then killed, {2 * OUTAGE_SECONDS:g} s in all", told)
