"""Each fact has its effect once: repeated, late, unknown, or handled by a member that lost its partition."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs
from services.gateway.tests.facts import failed, progressed, verified
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification
from services.gateway.tests.projections.projecting import Projecting, batch, projecting

from clearline.chassis.consumption import Partition, PositionMoved
from clearline.contracts.event import Event
from clearline.contracts.topics import VERIFICATIONS


async def one(owner: asyncpg.Connection, statement: str) -> tuple[Any, ...]:
    [row] = await owner.fetch(statement)
    return tuple(row)


async def steps(owner: asyncpg.Connection) -> dict[str, str]:
    """Number → name, of the one verification there is."""
    told = await owner.fetchval("select steps from verifications")
    return {number: step["name"] for number, step in told.items()}


NOTICES = "select array_agg(type order by id) from changes"


async def test_a_verification_goes_step_by_step_to_its_end(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await member.take(progressed(verification_id, 0), progressed(verification_id, 1))
        assert await one(owner, "select outcome, completed_at from verifications") == ("pending", None)
        assert await steps(owner) == {"0": "resolve", "1": "connect"}
        await member.take(verified(verification_id))
    ended = await one(owner, "select outcome, expires_at - completed_at = interval '1 day', failure from verifications")
    assert ended == ("verified", True, None)
    assert list(await steps(owner)) == ["0", "1", "2", "3", "4", "5"]
    assert await owner.fetchval(NOTICES) == [
        "connection.verification_progressed",
        "connection.verified",
    ], "one notice of each verification in a batch"


async def test_the_operators_half_of_a_failure_lies_apart(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await member.take(failed(verification_id))
    outcome, failure, expires_at = await one(owner, "select outcome, failure, expires_at from verifications")
    assert (outcome, expires_at, failure["code"]) == ("failed", None, "AUTH_REJECTED")
    assert "operator" not in str(failure)
    assert await owner.fetchval("select operator_detail from verification_operator_details") == "for operators only"


async def test_a_second_run_of_the_same_request_changes_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    run = [progressed(verification_id, 0), progressed(verification_id, 1), verified(verification_id)]
    async with projecting(migrated) as member:
        await member.take(*run[:2])
        await member.take(*run[:1], run[0])  # repeated in the middle, and twice in one batch
        await member.take(*run)
        before = await owner.fetchrow("select * from verifications")
        notices = await owner.fetchval(NOTICES)
        await member.take(*run)
        assert await owner.fetchrow("select * from verifications") == before
        assert await owner.fetchval(NOTICES) == notices == ["connection.verification_progressed", "connection.verified"]
        assert member.count("clearline_projection_repeats_total") == 7


async def test_a_second_run_after_midnight_changes_nothing_either(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    """Its facts have the same ids and other dates."""
    verification_id = await add_verification(owner, await add_connection(owner))
    run = [progressed(verification_id, 0), progressed(verification_id, 1)]
    async with projecting(migrated) as member:
        await member.take(*run)
        before = await owner.fetchval("select steps from verifications")
        slower = [structs.replace(each.data, step=structs.replace(each.data.step, duration_ms=99.0)) for each in run]
        again = [
            structs.replace(each, data=body, time=each.time + timedelta(days=1))
            for each, body in zip(run, slower, strict=True)
        ]
        await member.take(*again)
        assert await owner.fetchval("select steps from verifications") == before
        assert await owner.fetchval(NOTICES) == ["connection.verification_progressed"]
        assert member.count("clearline_projection_repeats_total") == 2


async def test_an_end_after_another_end_is_late(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await member.take(failed(verification_id))
        await member.take(verified(verification_id))
        assert member.count("clearline_projection_late_total", projection="verifications") == 1
    assert await owner.fetchval("select outcome from verifications") == "failed"


async def test_a_fact_about_an_unknown_verification_is_counted_and_holds_nobody_up(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await member.take(verified(uuid4()), verified(verification_id))
        assert member.count("clearline_projection_unknown_total", projection="verifications") == 1
    assert await owner.fetchval("select outcome from verifications") == "verified"


async def test_position_and_effect_are_one(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await owner.execute("alter table changes add constraint broken check (type <> 'connection.verified')")
        with pytest.raises(asyncpg.CheckViolationError):
            await member.take(verified(verification_id))
        place = Partition(VERIFICATIONS.name, 0)
        assert await member.positions.load([place]) == {}
        assert await owner.fetchval("select outcome from verifications") == "pending"
        assert await steps(owner) == {}
        await owner.execute("alter table changes drop constraint broken")
        await member.take(verified(verification_id))
        assert await member.positions.load([place]) == {place: 1}


async def test_a_member_that_lost_its_partition_unawares_writes_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    ids = [await add_verification(owner, await add_connection(owner)) for _ in range(3)]
    async with projecting(migrated) as old, projecting(migrated) as new:
        await old.take(verified(ids[0]))
        new.next_offset = old.next_offset
        await new.take(verified(ids[1]))
        with pytest.raises(PositionMoved):
            await old.take(failed(ids[1]), failed(ids[2]))
        assert old.count("clearline_projection_fenced_total") == 1
    assert await owner.fetchval("select array_agg(outcome order by outcome) from verifications") == [
        "pending",
        "verified",
        "verified",
    ]


async def test_of_two_members_with_the_same_batch_one_wins(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as this, projecting(migrated) as that:
        for first in range(10):
            results = await asyncio.gather(
                *(_try(each, progressed(verification_id, first % 6), first) for each in (this, that))
            )
            assert sorted(results) == ["done", "fenced"]


async def _try(member: Projecting, event: Event, first: int) -> str:
    try:
        await member.projector.handle(batch([event], VERIFICATIONS.name, first))
    except PositionMoved:
        return "fenced"
    return "done"


async def test_another_cluster_has_positions_of_its_own(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as member:
        await member.take(verified(verification_id), first=900)
        await owner.execute("update positions set cluster_id = 'the one that was lost'")
        assert await member.positions.load([Partition(VERIFICATIONS.name, 0)]) == {}
        await member.take(verified(verification_id), first=0)
        assert await owner.fetchval("select count(*) from positions") == 2
