"""Row-level security of unsaved tests: even a wrong query shows nobody those of others, and writes no end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase

REQUEST = (
    "select set_config('role', $1, true), set_config('clearline.environments', $2, true), "
    "set_config('clearline.principal', $3, true)"
)
START = (
    "insert into connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline) "
    "values (gen_random_uuid(), '{environment}', 'tcp', 'corr-1234', now(), '{by}', now())"
)


async def seen(migrated: MigratedDatabase, role: str, principal: str, environments: str = "development") -> set[UUID]:
    async with migrated.connect("clearline_api") as connection, connection.transaction():
        await connection.execute(REQUEST, f"clearline_{role}", environments, principal)
        return {row["id"] for row in await connection.fetch("select id, steps from connection_tests")}


async def add(
    owner: asyncpg.Connection, by: str, environment: str = "development", *, age: timedelta | None = None
) -> UUID:
    test_id, now = uuid4(), datetime.now(UTC) - (age or timedelta(0))
    await owner.execute(
        "insert into connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline) "
        "values ($1, $2, 'tcp', 'corr-1234', $3, $4, $3)",
        *(test_id, environment, now, by),
    )
    return test_id


async def test_a_test_belongs_to_who_started_it_and_to_admins(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    mine, theirs = await add(owner, "me"), await add(owner, "them")
    elsewhere, old = await add(owner, "me", "production"), await add(owner, "me", age=timedelta(hours=1))
    assert await seen(migrated, "operator", "me") == {mine}
    assert await seen(migrated, "operator", "me", "development,production") == {mine, elsewhere}
    assert await seen(migrated, "operator", "nobody") == set()
    assert await seen(migrated, "admin", "nobody") == {mine, theirs}
    assert await seen(migrated, "admin", "nobody", "staging") == set()
    assert await owner.fetchval("select count(*) from connection_tests where id = $1", old) == 1, "not swept yet"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await seen(migrated, "viewer", "me")


@pytest.mark.parametrize(
    "statement",
    [
        "update connection_tests set outcome = 'verified', completed_at = now()",
        "update connection_tests set requested_by = 'me'",
        "delete from connection_tests",
        "update connection_tests set steps = '{}'",
        START.format(environment="development", by="somebody else"),
        START.format(environment="production", by="me"),
    ],
)
@pytest.mark.parametrize("role", ["operator", "admin"])
async def test_nobody_writes_how_a_test_went_or_starts_one_for_others(
    migrated: MigratedDatabase, owner: asyncpg.Connection, role: str, statement: str
) -> None:
    await add(owner, "me")
    async with migrated.connect("clearline_api") as connection, connection.transaction():
        await connection.execute(REQUEST, f"clearline_{role}", "development", "me")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_only_its_starter_and_admins_cancel_it(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    await add(owner, "me")
    for role, principal, expected in (("operator", "them", 0), ("operator", "me", 1), ("admin", "them", 1)):
        async with migrated.connect("clearline_api") as connection, connection.transaction():
            await connection.execute(REQUEST, f"clearline_{role}", "development", principal)
            done = await connection.execute("update connection_tests set cancelled_by = $1", principal)
            assert done == f"UPDATE {expected}", (role, principal)
