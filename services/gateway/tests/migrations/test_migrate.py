"""Migrations apply once, in order, under a lock, whoever runs them and however many at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from services.gateway.tests.migrated import (
    PASSWORD,
    MigratedDatabase,
    add_connection,
    add_verification,
    succeed,
)
from tests.harness import database as databases
from tests.harness.database import Database
from tests.harness.places import unique
from tests.harness.waiting import until

from gateway.migrate import Migration, SchemaConflict, migrate, migrations, pending, schema_version, wait_for_schema
from gateway.read_model.pools import open_pool

ONE = Migration(1, "0001_one.sql", "create table one ()")
TWO = Migration(2, "0002_two.sql", "create table two ()")


def test_numbers_have_no_twin_and_no_gap() -> None:
    numbers = [each.version for each in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_what_was_not_applied_is_pending() -> None:
    assert pending([ONE, TWO], {1: ONE.checksum}) == [TWO]


def test_an_edited_file_is_told_by_its_name() -> None:
    with pytest.raises(SchemaConflict, match=r"0001_one\.sql was applied and has been changed"):
        pending([ONE, TWO], {1: "other"})


def test_a_newer_database_is_refused() -> None:
    with pytest.raises(SchemaConflict, match="0002, which this version does not know"):
        pending([ONE], {1: ONE.checksum, 2: TWO.checksum})


async def test_four_at_once_on_two_databases_apply_each_file_once(postgres: str, database: Database) -> None:
    other = await databases.create(postgres)
    try:
        done = await asyncio.gather(*(migrate(each.dsn) for each in (database, database, other, other)))
    finally:
        await databases.drop(postgres, other)
    names = [each.name for each in migrations()]
    assert sorted(done[:2]) == [[], names]
    assert sorted(done[2:]) == [[], names]


async def test_a_file_that_fails_leaves_nothing_behind(database: Database) -> None:
    broken = Migration(2, "0002_broken.sql", "create table half (); select 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database.dsn, [ONE, broken])
    connection = await asyncpg.connect(database.dsn)
    assert await connection.fetchval("select to_regclass('half') is null")
    assert await connection.fetchval("select max(version) from schema_migrations") == 1
    await connection.close()
    assert await migrate(database.dsn, [ONE, TWO]) == ["0002_two.sql"]


async def test_a_deadlock_with_whoever_works_meanwhile_is_tried_again(database: Database) -> None:
    """The migration waits first, so PostgreSQL makes it the victim."""
    worker, onlooker = await asyncpg.connect(database.dsn), await asyncpg.connect(database.dsn)
    await worker.execute("create table a (); create table b ()")
    crossing = Migration(1, "0001_crossing.sql", "lock table a; lock table b")
    async with worker.transaction():
        await worker.execute("lock table b")
        migrating = asyncio.create_task(migrate(database.dsn, [crossing]))
        waits = "select exists (select from pg_locks where relation = 'b'::regclass and not granted)"
        await until(lambda: onlooker.fetchval(waits), within=20)
        await worker.execute("lock table a")
    assert await asyncio.wait_for(migrating, 30) == ["0001_crossing.sql"]
    await worker.close()
    await onlooker.close()


@pytest.mark.usefixtures("schema_template")
async def test_a_process_waits_for_its_login_and_for_the_schema(postgres: str, database: Database) -> None:
    name = unique("login").replace("-", "_")
    pool = await open_pool(MigratedDatabase(database.name, database.dsn).login(name), name="test")
    waiting = asyncio.create_task(wait_for_schema(pool))
    admin = await asyncpg.connect(postgres)
    try:
        for step in (f"create role {name} login password '{PASSWORD}' in role clearline_reader", None):
            _, still_waiting = await asyncio.wait({waiting}, timeout=0.3)
            assert still_waiting
            await (admin.execute(step) if step else migrate(database.dsn))
        await asyncio.wait_for(waiting, 10)
    finally:
        await pool.close()
        await admin.execute(f"drop role {name}")
        await admin.close()


async def test_every_login_can_read_the_version(migrated: MigratedDatabase) -> None:
    for login in ("clearline_api", "clearline_projector", "clearline_relay", "clearline_reader"):
        async with migrated.connect(login) as connection:
            assert await connection.fetchval("select max(version) from schema_migrations") == schema_version()


@pytest.mark.usefixtures("schema_template")
async def test_the_owner_of_the_schema_need_not_be_a_superuser(postgres: str, database: Database) -> None:
    """As on a managed PostgreSQL. The roles are there (`schema_template`); row-level security binds this owner too."""
    name = unique("owner").replace("-", "_")
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"create role {name} login password '{PASSWORD}'")
    await admin.execute(f"alter database {database.name} owner to {name}")
    try:
        as_owner = MigratedDatabase(database.name, MigratedDatabase(database.name, database.dsn).login(name))
        await migrate(as_owner.dsn)
        async with as_owner.connect() as owner:
            connection_id = await add_connection(owner)
            await succeed(owner, await add_verification(owner, connection_id))
            await owner.execute("select lock_connection($1)", connection_id)
            await owner.fetchval("select maintain_partitions($1, 5)", datetime.now(UTC) + timedelta(hours=2))
        async with as_owner.connect("clearline_api") as api:
            assert await api.fetch("select * from authenticate('nobody')") == []
    finally:
        await databases.drop(postgres, database)
        await admin.execute(f"drop role {name}")
        await admin.close()


async def test_no_login_may_make_even_a_temporary_table(database: Database) -> None:
    await migrate(database.dsn)
    connection = await asyncpg.connect(database.dsn)
    asked = "select has_database_privilege('clearline_reader', current_database(), 'TEMPORARY')"
    assert await connection.fetchval(asked) is False
    await connection.close()
