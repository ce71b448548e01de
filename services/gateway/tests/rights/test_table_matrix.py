"""Role by table in SQL itself: whatever a request asks for, nothing foreign is seen, changed or deleted."""
# ruff: noqa: S608 - every name in these statements is ours

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification
from tests.harness import database as databases
from tests.harness.waiting import until

from gateway.read_model.pools import Connection, open_pool
from gateway.security.principal import Principal, Role
from gateway.security.rights import assume

ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
OWN, FOREIGN = "production", "development"
CALLER = UUID(int=7)
BY_ENVIRONMENT = f"environment is distinct from '{OWN}'"
FOREIGN_ROWS = {
    "service_connection_profiles": BY_ENVIRONMENT,
    "connection_revisions": BY_ENVIRONMENT,
    "connection_credentials": BY_ENVIRONMENT,
    "verifications": BY_ENVIRONMENT,
    "verification_operator_details": BY_ENVIRONMENT,
    "connection_tests": BY_ENVIRONMENT,
    "reseals": BY_ENVIRONMENT,
    "audit": BY_ENVIRONMENT,
    "tokens": f"not environments <@ array['{OWN}']",
    "idempotency_keys": f"token_id <> '{CALLER}'",
}
"""Table → which of its rows a token of `OWN` alone must not meet. A table that requests may read has to be here."""
WHOLE_INSTALLATION = {"key_rotations"}
"""Ids of keys and who rotated them: of no environment, for admins."""
ADD_ONLY = {"outbox", "changes"}
"""Requests may add to them and see nothing of them."""


TEST = "connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline)"
ROTATION = "key_rotations (id, key_id, correlation_id, requested_at, requested_by, asked_at)"
RESEAL = "reseals (connection_id, environment, reseal_id, rotation_id, requested_at)"
AUDIT = "audit (principal, action, object_type, object_id, environment, correlation_id)"
TOKEN = "tokens (id, name, hash, role, environments, created_at, created_by)"


def caller(role: Role, environment: str = OWN) -> Principal:
    return Principal(id=CALLER, name="tester", role=role, environments=(environment,))  # type: ignore[arg-type]


@asynccontextmanager
async def request(database: MigratedDatabase, role: Role) -> AsyncIterator[asyncpg.Connection]:
    async with database.connect("clearline_api") as connection, connection.transaction():
        await assume(connection, caller(role))
        yield connection


async def _tables(owner: asyncpg.Connection) -> dict[str, bool]:
    """Every table, partitions with their parents → whether row-level security is forced on it."""
    rows = await owner.fetch(
        "select relname, relrowsecurity and relforcerowsecurity as forced from pg_class "
        "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
    )
    return {row["relname"]: row["forced"] for row in rows}


async def _columns(owner: asyncpg.Connection, role: str, table: str, privilege: str) -> list[str]:
    rows = await owner.fetch(
        "select attname from pg_attribute where attrelid = $2::text::regclass and attnum > 0 and not attisdropped "
        "and attgenerated = '' and has_column_privilege($1::text, $2::text, attname::text, $3::text)",
        *(f"clearline_{role}", table, privilege),
    )
    return [row["attname"] for row in rows]


async def _may(owner: asyncpg.Connection, role: str, table: str, privilege: str) -> bool:
    ask = "select has_table_privilege($1::text, $2::text, $3::text)"
    return bool(await owner.fetchval(ask, f"clearline_{role}", table, privilege))


async def _fill(owner: asyncpg.Connection, environment: str, token: UUID) -> None:
    """A row for every table that requests may read."""
    connection_id = await add_connection(owner, environment=environment)
    verification_id = await add_verification(owner, connection_id, environment=environment)
    test_id, rotation_id = uuid4(), uuid4()
    label = caller("admin").label
    statements: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("verification_operator_details values ($1, $2, 'x')", (verification_id, environment)),
        (f"{TEST} values ($1, $2, 'tcp', 'c', clock_timestamp(), $3, now())", (test_id, environment, label)),
        (f"{ROTATION} values ($1, 'k', 'c', now(), 't', now())", (rotation_id,)),
        (f"{RESEAL} values ($1, $2, gen_random_uuid(), $3, now())", (connection_id, environment, rotation_id)),
        (f"{AUDIT} values ('t', 'a', 'connection', $1, $2, 'c')", (str(connection_id), environment)),
        (f"{TOKEN} values ($1, 't', $2, 'viewer', array[$3], now(), 't')", (token, token.bytes, environment)),
        ("idempotency_keys (token_id, key, fingerprint) values ($1, 'k', 'f')", (token,)),
        ("outbox (topic, key, headers) values ('t', 'k', '[]')", ()),
        ("changes (type, environment) values ('t', $1)", (environment,)),
    )
    for statement, values in statements:
        await owner.execute(f"insert into {statement}", *values)


@pytest.fixture(scope="module")
async def filled(postgres: str, schema_template: str) -> AsyncIterator[MigratedDatabase]:
    """One for all tests here: none of them changes a row, or it fails."""
    made = await databases.create(postgres, template=schema_template)
    database = MigratedDatabase(made.name, made.dsn)
    async with database.connect() as owner:
        await _fill(owner, OWN, CALLER)
        await _fill(owner, FOREIGN, UUID(int=8))
    yield database
    await databases.drop(postgres, made)


@pytest.fixture(scope="module")
async def owner(filled: MigratedDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with filled.connect() as connection:
        yield connection


async def test_every_table_that_requests_reach_is_scoped_and_in_the_tables_above(owner: asyncpg.Connection) -> None:
    for table, forced in (await _tables(owner)).items():
        for role in ROLES:
            reached = [each for each in ("SELECT", "UPDATE") if await _columns(owner, role, table, each)]
            reached += [each for each in ("DELETE", "TRUNCATE", "TRIGGER") if await _may(owner, role, table, each)]
            added = await _columns(owner, role, table, "INSERT")
            assert not {"TRUNCATE", "TRIGGER"} & set(reached), (table, role)
            assert not reached or forced, f"{table} has no forced row-level security, and {role} may {reached}"
            assert not reached or table in FOREIGN_ROWS or table in WHOLE_INSTALLATION, (table, role, reached)
            assert not added or forced or table in ADD_ONLY, f"{role} adds to {table}, which has no policies"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", FOREIGN_ROWS)
async def test_nothing_foreign_is_seen_changed_or_deleted(
    filled: MigratedDatabase, owner: asyncpg.Connection, role: Role, table: str
) -> None:
    foreign = FOREIGN_ROWS[table]
    here = f"from {table} where {foreign}"
    before = await owner.fetch(f"select t::text from {table} t order by 1")
    assert await owner.fetchval(f"select count(*) {here}") > 0, "nothing foreign is there to be seen"
    if readable := await _columns(owner, role, table, "SELECT"):
        async with request(filled, role) as connection:
            everything = await connection.fetch(f"select {', '.join(readable)} from {table}")
            assert len(everything) == (await owner.fetchval(f"select count(*) from {table} where not ({foreign})"))
            assert await connection.fetchval(f"select count(*) {here}") == 0
        for column in await _columns(owner, role, table, "UPDATE"):
            async with request(filled, role) as connection:
                assert await connection.execute(f"update {table} set {column} = {column} where {foreign}") == "UPDATE 0"
    if await _may(owner, role, table, "DELETE"):
        async with request(filled, role) as connection:
            assert await connection.execute(f"delete {here}") == "DELETE 0"
    assert await owner.fetch(f"select t::text from {table} t order by 1") == before


@pytest.mark.parametrize("role", ROLES)
async def test_a_request_that_names_nothing_sees_nothing(
    filled: MigratedDatabase, owner: asyncpg.Connection, role: Role
) -> None:
    async with filled.connect("clearline_api") as connection:
        for table in FOREIGN_ROWS:
            if readable := await _columns(owner, role, table, "SELECT"):
                async with connection.transaction():
                    await connection.execute("select set_config('role', $1, true)", f"clearline_{role}")
                    assert await connection.fetch(f"select {readable[0]} from {table}") == [], table


async def test_a_pooled_connection_carries_nothing_from_one_request_to_the_next(
    filled: MigratedDatabase,
) -> None:
    count = "select count(*) from service_connection_profiles"
    pool = await open_pool(filled.login("clearline_api"), name="test", max_size=1)
    backends = set()

    async def seen_by(role: Role, environment: str) -> int:
        async with pool.acquire() as connection:
            backends.add(await connection.fetchval("select pg_backend_pid()"))
            async with connection.transaction():
                await assume(connection, caller(role, environment))
                seen = int(await connection.fetchval(f"{count} where environment = '{environment}'"))
            await _nobody_is_left(connection)  # before the pool resets it: that is the second line
            return seen

    async def dies(ending: str) -> None:
        async with pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await assume(connection, caller("admin", OWN))
                    await connection.execute(ending)
            finally:
                await _nobody_is_left(connection)

    async def nobody() -> None:
        async with pool.acquire() as connection:
            backends.add(await connection.fetchval("select pg_backend_pid()"))
            await _nobody_is_left(connection)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(count)

    assert await seen_by("admin", OWN) == 1
    assert await seen_by("viewer", FOREIGN) == 1
    await nobody()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await dies("select 1 / 0")
    await nobody()
    dying = asyncio.create_task(dies("select pg_sleep(30)"))
    await until(lambda: _sleeps(filled), within=10)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    await nobody()
    assert len(backends) == 1, "one connection served all of them"
    await pool.close()


async def _nobody_is_left(connection: Connection) -> None:
    assert await connection.fetchval("select current_user") == "clearline_api"
    for name in ("environments", "principal", "token"):
        assert not await connection.fetchval("select current_setting($1, true)", f"clearline.{name}"), name


async def _sleeps(database: MigratedDatabase) -> bool:
    async with database.connect() as owner:
        asleep = "select exists (select from pg_stat_activity where query like 'select pg_sleep%' and state = 'active')"
        return bool(await owner.fetchval(asleep))
