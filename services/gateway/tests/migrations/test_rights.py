"""Row-level security and grants: who sees which rows, and that nobody rewrites history."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification

SCOPED = ("service_connection_profiles", "connection_revisions", "verifications")
ROLES = ("clearline_viewer", "clearline_operator", "clearline_admin")


@asynccontextmanager
async def request(migrated: MigratedDatabase, role: str, environments: str) -> AsyncIterator[asyncpg.Connection]:
    async with migrated.connect("clearline_api") as connection, connection.transaction():
        await connection.execute(
            "select set_config('role', $1, true), set_config('clearline.environments', $2, true), "
            "set_config('clearline.principal', 'tester', true)",
            *(role, environments),
        )
        yield connection


@pytest.mark.parametrize("role", ROLES)
async def test_a_request_sees_only_its_environments(
    migrated: MigratedDatabase, owner: asyncpg.Connection, role: str
) -> None:
    for environment in ("development", "production"):
        connection_id = await add_connection(owner, environment=environment)
        await add_verification(owner, connection_id, environment=environment)
    async with request(migrated, role, "production") as connection:
        for table in SCOPED:
            found = await connection.fetch(f"select environment from {table}")  # noqa: S608 - our own names
            assert [row["environment"] for row in found] == ["production"], table


@pytest.mark.parametrize("role", ROLES)
async def test_a_request_that_set_no_environment_sees_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection, role: str
) -> None:
    await add_connection(owner)
    async with request(migrated, role, "") as connection:
        assert await connection.fetchval("select count(*) from service_connection_profiles") == 0


async def test_a_used_connection_remembers_nothing_of_the_last_request(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_connection(owner)
    async with migrated.connect("clearline_api") as connection:
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', 'clearline_viewer', true), "
                "set_config('clearline.environments', 'development', true)"
            )
            assert await connection.fetchval("select count(*) from service_connection_profiles") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from service_connection_profiles")
        await connection.execute("set role clearline_viewer")
        assert await connection.fetchval("select count(*) from service_connection_profiles") == 0


async def test_viewers_read_neither_envelopes_nor_operator_details(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_connection(owner)
    for statement in ("select sealed from connection_credentials", "select * from verification_operator_details"):
        async with request(migrated, "clearline_viewer", "development") as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(statement)
    async with request(migrated, "clearline_viewer", "development") as connection:
        assert await connection.fetchval("select field from connection_credentials") == "password"


async def test_an_operator_writes_only_into_its_environments(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_connection(owner, environment="production")
    async with request(migrated, "clearline_operator", "development") as connection:
        changed = await connection.execute("update service_connection_profiles set name = 'mine'")
        assert changed == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await add_connection(connection, environment="production")


@pytest.mark.parametrize("table", ["service_connection_profiles", "outbox", "positions", "tokens"])
async def test_the_projector_and_the_reader_change_no_connection_and_read_no_token(
    migrated: MigratedDatabase, table: str
) -> None:
    forgets = table == "positions"  # the projector moves them, and `gateway positions forget` removes them
    for login in ("clearline_reader",) if forgets else ("clearline_projector", "clearline_reader"):
        async with migrated.connect(login) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"delete from {table}")  # noqa: S608 - our own names
    async with migrated.connect("clearline_reader") as connection:
        for hidden in ("hash from tokens", "sealed from connection_credentials", "value from outbox"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select {hidden}")


@pytest.mark.parametrize("table", ["verifications", "audit", "tokens", "positions", "inbox"])
async def test_the_relay_adds_to_no_table_that_is_not_its_own(owner: asyncpg.Connection, table: str) -> None:
    for columns in ("has_table_privilege", "has_any_column_privilege"):
        assert not await owner.fetchval(f"select {columns}('clearline_relay', $1::text, 'insert')", table)


async def test_the_audit_is_only_ever_added_to(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    insert = (
        "insert into audit (principal, action, object_type, object_id, environment, correlation_id) "
        "values ($1, 'test', 'connection', 'x', 'development', 'corr-1')"
    )
    async with request(migrated, "clearline_operator", "development") as connection:
        await connection.execute(insert, "tester")
    async with request(migrated, "clearline_operator", "development") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(insert, "somebody else")
    for statement in ("update audit set action = 'nothing'", "delete from audit", "truncate audit"):
        for role in ROLES:
            async with request(migrated, role, "development") as connection:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)


async def test_repairs_are_in_the_audit_of_those_who_may_see_everything(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "insert into audit (principal, action, object_type, object_id, correlation_id) "
        "values ('installation', 'read_model.rebuilt', 'read_model', 'x', 'corr-1')"
    )
    everything = "development,staging,production"
    for role, environments, seen in (
        ("clearline_admin", everything, 1),
        ("clearline_admin", "development,production", 0),
        ("clearline_operator", everything, 0),
    ):
        async with request(migrated, role, environments) as connection:
            assert await connection.fetchval("select count(*) from audit") == seen, (role, environments)


async def test_an_admin_hands_out_no_more_than_it_has(migrated: MigratedDatabase) -> None:
    insert = (
        "insert into tokens (id, name, hash, role, environments, created_at, created_by) "
        "values (gen_random_uuid(), 't', $1, 'admin', $2, now(), 'tester')"
    )
    async with request(migrated, "clearline_admin", "development") as connection:
        await connection.execute(insert, b"1", ["development"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(insert, b"2", ["development", "production"])


async def test_many_requests_with_one_token_do_not_wait_for_each_other(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "insert into tokens (id, name, hash, role, environments, created_at, created_by) "
        "values (gen_random_uuid(), 't', 'h', 'viewer', array['development'], now(), 'tester')"
    )
    ask = "select role, expired, revoked from authenticate('h')"
    async with migrated.connect("clearline_api") as one, migrated.connect("clearline_api") as other, one.transaction():
        assert [tuple(row) for row in await one.fetch(ask)] == [("viewer", False, False)]
        assert [tuple(row) for row in await other.fetch(ask, timeout=2)] == [("viewer", False, False)]
