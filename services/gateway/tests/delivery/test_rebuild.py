"""`gateway rebuild` beside live traffic: what was there stays the same, what was missing comes back, once."""

import asyncio
import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry
from services.gateway.tests.bus import kafka_settings, producer
from services.gateway.tests.delivery.test_projection_on_kafka import Bus, all_ended, bus_of, member, pending
from services.gateway.tests.facts import failed, progressed, verified
from services.gateway.tests.migrated import MigratedDatabase
from services.gateway.tests.one_shot import gateway
from services.gateway.tests.projections.undecidable import REFUSE, Undecidable
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS
from gateway import repairs
from gateway.metrics import GatewayMetrics
from gateway.projections import PROJECTIONS, Surroundings
from gateway.projections.rebuilds import REBUILDS
from gateway.read_model.pools import open_pool
from gateway.rebuild import Rebuilding

_STATE = (
    "select v.id::text, outcome, v.completed_at::text, v.expires_at::text, v.failure::text, v.steps::text, "
    "d.operator_detail from verifications v left join verification_operator_details d on d.verification_id = v.id "
    "where v.id = any ($1) order by v.id"
)
_FORGET = """
    alter table verifications disable trigger verification_ends_once;
    update verifications set outcome = 'pending', completed_at = null, expires_at = null, failure = null, steps = '{}';
    alter table verifications enable trigger verification_ends_once;
    truncate verification_operator_details
"""
"""As a database that was restored from before these ends."""


async def hashed(owner: asyncpg.Connection, ids: list[Any], *, dated: bool = True) -> str:
    rows = [tuple(row) if dated else (*row[:2], *row[4:]) for row in await owner.fetch(_STATE, ids)]
    assert rows
    return hashlib.sha256(repr(rows).encode()).hexdigest()


async def speak(bus: Bus, ids: list[Any], seed: int) -> None:
    """Ends of three kinds, some facts twice, some in another order than they happened."""
    chance, publisher = random.Random(seed), producer(bus.bootstrap)  # noqa: S311 - an order of events, no secret
    for number, verification_id in enumerate(ids):
        end = failed(verification_id) if number % 3 == 0 else verified(verification_id)
        said: list[Event] = [*(progressed(verification_id, step) for step in range(6)), end]
        said += chance.choices(said, k=4)
        if number % 5 == 0:
            chance.shuffle(said)
        for fact in said:
            await publisher.publish(fact, bus.facts)
    await publisher.stop()


async def rebuild(bus: Bus, migrated: MigratedDatabase, told: list[str] | None = None) -> None:
    pool = await open_pool(migrated.login("clearline_projector"), name="test-rebuild", max_size=2)
    around = Surroundings(SystemClock(), GatewayMetrics(CollectorRegistry()), timedelta(hours=1), CONNECTIONS)
    say = (told if told is not None else []).append
    try:
        await Rebuilding(pool, kafka_settings(bus.bootstrap), around, say=say).rebuild(
            "verifications", source=bus.facts
        )
    finally:
        pool.terminate()


async def test_beside_live_traffic_nothing_changes_and_what_is_missing_comes_back(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    bus, ids = await bus_of(kafka), await pending(owner, 60)
    early, late = ids[:30], ids[30:]
    async with member(bus, migrated):
        await speak(bus, early, seed=1)
        await until(lambda: ended(owner, 30), within=30)
        before = await hashed(owner, early)
        speaking = asyncio.create_task(speak(bus, late, seed=2))
        await rebuild(bus, migrated)
        await speaking
        await until(lambda: all_ended(migrated), within=30)
    assert await hashed(owner, early) == before
    whole = await hashed(owner, ids, dated=False)
    await owner.execute(_FORGET)
    assert await hashed(owner, ids, dated=False) != whole
    told: list[str] = []
    await rebuild(bus, migrated, told)
    assert await hashed(owner, ids, dated=False) == whole
    assert told[-1] == "verifications is rebuilt."
    assert await owner.fetchval("select count(*) from positions where consumer like 'rebuild%'") == 0
    done = await owner.fetch("select action, object_id from audit")
    assert [tuple(row) for row in done] == [("read_model.rebuilt", "verifications")] * 2


async def ended(owner: asyncpg.Connection, count: int) -> bool:
    return bool(await owner.fetchval("select count(*) = $1 from verifications where outcome <> 'pending'", count))


async def test_an_end_that_comes_back_late_is_dated_when_it_was_told(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    bus, [verification_id] = await bus_of(kafka), await pending(owner, 1)
    asked = datetime.now(UTC) - timedelta(days=3)
    await owner.execute("update verifications set requested_at = $1", asked)
    told = structs.replace(verified(verification_id), time=asked + timedelta(seconds=5))
    publisher = producer(kafka)
    await publisher.publish(told, bus.facts)
    await publisher.stop()
    await rebuild(bus, migrated)
    [row] = await owner.fetch("select outcome, completed_at, expires_at from verifications")
    assert row["outcome"] == "verified"
    assert abs(row["completed_at"] - told.time) < timedelta(seconds=1)
    assert row["expires_at"] - row["completed_at"] == timedelta(hours=1), "an old success became a fresh one"


@pytest.mark.parametrize("by", ["the decision", "the database"])
async def test_a_fact_that_cannot_be_taken_does_not_stop_it(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The projector has dead-lettered it; it lies in the topic for thirty days all the same."""
    bus, ids = await bus_of(kafka), await pending(owner, 3)
    if by == "the database":
        await owner.execute("update verifications set requested_by = 'poison' where id = $1", ids[1])
        await owner.execute(REFUSE)
    else:
        Undecidable(monkeypatch).about.add(ids[1])
    publisher, told = producer(kafka), list[str]()
    for each in ids:
        await publisher.publish(verified(each), bus.facts)
    await publisher.stop()
    await rebuild(bus, migrated, told)
    left = await owner.fetch("select id from verifications where outcome = 'pending'")
    assert [row["id"] for row in left] == [ids[1]]
    assert sum("is left out" in line for line in told) == 1
    assert told[-1] == "verifications is rebuilt. 1 facts were left out (named above)."


async def test_it_goes_on_where_it_was_and_never_twice_at_once(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, ids = await bus_of(kafka), await pending(owner, 20)
    await speak(bus, ids, seed=3)
    batches, real = 0, REBUILDS["verifications"].again
    assert real is not None

    async def fails_at_the_third(*given: Any) -> None:
        nonlocal batches
        batches += 1
        if batches == 3:
            with pytest.raises(repairs.NotNow, match="runs already"):
                await rebuild(bus, migrated)
            raise ConnectionError("killed")
        await real(*given)

    monkeypatch.setattr("gateway.rebuild.BATCH", 20)
    object.__setattr__(REBUILDS["verifications"], "again", fails_at_the_third)
    try:
        with pytest.raises(ConnectionError):
            await rebuild(bus, migrated)
        assert await owner.fetchval("select sum(next_offset) from positions where consumer like 'rebuild%'") == 40
        await rebuild(bus, migrated)
    finally:
        object.__setattr__(REBUILDS["verifications"], "again", real)
    total = len(ids) * 11
    assert (batches - 1) * 20 >= total
    assert (batches - 1) * 20 < total + 100, "it began at the beginning again"
    assert await ended(owner, 20)


def test_every_projection_says_how_it_is_rebuilt_or_why_not() -> None:
    assert set(REBUILDS) == {projection.name for projection in PROJECTIONS}
    for projection in PROJECTIONS:
        assert set(projection.types) <= set(REBUILDS[projection.name].source.types)


async def test_the_list_needs_no_settings_and_a_wrong_name_is_refused() -> None:
    code, output, errors = await gateway("rebuild", "--list")
    assert code == 0, errors
    assert [line.split()[0] for line in output.splitlines()] == list(REBUILDS)
    assert (await gateway("rebuild", "reseals"))[0] == 2
