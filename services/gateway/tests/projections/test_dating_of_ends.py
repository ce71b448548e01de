"""An end is dated when the verifier told it, however late it is read, within the bounds of the database's clock."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from msgspec import structs
from services.gateway.tests.facts import failed, verified
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_test, add_verification
from services.gateway.tests.projections.projecting import projecting

A_MOMENT = timedelta(minutes=1)
"""More than a loaded machine takes between two lines of a test."""
STATUS = "select verification_status(outcome, expires_at, clock_timestamp()) from verifications"


async def asked_before(owner: asyncpg.Connection, long: timedelta) -> None:
    await owner.execute("update verifications set requested_at = requested_at - $1::interval", long)


async def test_a_success_that_is_read_after_its_validity_is_expired(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    await asked_before(owner, timedelta(hours=26))
    told_at = datetime.now(UTC) - timedelta(hours=25)
    async with projecting(migrated) as member:
        await member.take(structs.replace(verified(verification_id), time=told_at))
    [(completed_at, expires_at)] = await owner.fetch("select completed_at, expires_at from verifications")
    assert (completed_at, expires_at) == (told_at, told_at + timedelta(days=1))
    assert await owner.fetchval(STATUS) == "expired"


@pytest.mark.parametrize(("wrong_by", "dated"), [(timedelta(hours=2), "now"), (timedelta(hours=-2), "asked")])
async def test_a_verifiers_wrong_clock_lengthens_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection, wrong_by: timedelta, dated: str
) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    await asked_before(owner, timedelta(hours=1))
    async with projecting(migrated) as member:
        await member.take(structs.replace(verified(verification_id), time=datetime.now(UTC) + wrong_by))
    [row] = await owner.fetch("select *, clock_timestamp() as now from verifications")
    assert row["expires_at"] - row["completed_at"] == timedelta(days=1)
    bound = row["now"] if dated == "now" else row["requested_at"]
    assert abs(row["completed_at"] - bound) < A_MOMENT
    assert row["requested_at"] <= row["completed_at"] <= row["now"]


async def test_failures_and_tests_are_dated_alike(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    verification_id = await add_verification(owner, await add_connection(owner))
    now = datetime.now(UTC)
    test_id = await add_test(owner, requested_at=now - timedelta(minutes=9))
    await asked_before(owner, timedelta(minutes=9))
    told_at = now - timedelta(minutes=7)
    async with projecting(migrated) as member:
        await member.take(
            structs.replace(failed(verification_id), time=told_at),
            structs.replace(verified(test_id, revision=None), time=told_at),
        )
    assert await owner.fetchval("select completed_at from verifications") == told_at
    assert await owner.fetchval("select completed_at from connection_tests") == told_at
