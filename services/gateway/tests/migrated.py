"""A migrated database as its logins see it, and rows to begin with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
from tests.harness import database as databases
from tests.harness.database import Database

from gateway.migrate import migrate
from gateway.read_model.pools import speak_json

LOGINS = ("clearline_api", "clearline_projector", "clearline_relay", "clearline_reader")
PASSWORD = "only-for-tests"


@dataclass(frozen=True, slots=True)
class MigratedDatabase:
    """`dsn` is the owner's (a superuser)."""

    name: str
    dsn: str

    def login(self, name: str) -> str:
        """The DSN of one of `LOGINS`."""
        parts = urlsplit(self.dsn)
        return urlunsplit(parts._replace(netloc=f"{name}:{PASSWORD}@{parts.hostname}:{parts.port}"))

    @asynccontextmanager
    async def connect(self, login: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        """A connection as the owner or as one of `LOGINS`."""
        connection = await asyncpg.connect(self.dsn if login is None else self.login(login))
        await speak_json(connection)
        try:
            yield connection
        finally:
            await connection.close()


async def make_template(server_dsn: str) -> Database:
    """A migrated database to copy; from then on every login of the server has `PASSWORD`."""
    made = await databases.create(server_dsn)
    await migrate(made.dsn)
    connection = await asyncpg.connect(made.dsn)
    for login in LOGINS:
        await connection.execute(f"alter role {login} password '{PASSWORD}'")
    await connection.close()
    return made


async def add_connection(
    connection: asyncpg.Connection, *, environment: str = "development", name: str | None = None
) -> UUID:
    """An inactive connection with one revision and one sealed credential, sequence 1."""
    connection_id, now = uuid4(), datetime.now(UTC)
    await connection.execute(
        "insert into service_connection_profiles (id, name, environment, kind, beat, revision, sequence, created_at, "
        "created_by, updated_at, updated_by) values ($1, $2, $3, 'tcp', $4, 1, 1, $5, 'test', $5, 'test')",
        *(connection_id, name or f"c-{connection_id}", environment, {"interval_seconds": 30}, now),
    )
    await add_revision(connection, connection_id, 1, environment=environment)
    return connection_id


async def add_revision(
    connection: asyncpg.Connection, connection_id: UUID, revision: int, *, environment: str = "development"
) -> None:
    now = datetime.now(UTC)
    await connection.execute(
        "insert into connection_revisions (connection_id, environment, revision, config, destination, created_at, "
        "created_by) values ($1, $2, $3, $4, 'tcp://127.0.0.1:1', $5, 'test')",
        *(connection_id, environment, revision, {"host": "127.0.0.1", "port": revision}, now),
    )
    await connection.execute(
        "insert into connection_credentials values ($1, $2, $3, 'password', 'k1', 'sealed', $4)",
        *(connection_id, environment, revision, now),
    )


async def add_verification(
    connection: asyncpg.Connection,
    connection_id: UUID,
    *,
    revision: int = 1,
    environment: str = "development",
    deadline: datetime | None = None,
) -> UUID:
    """A pending verification."""
    verification_id, now = uuid4(), datetime.now(UTC)
    await connection.execute(
        "insert into verifications (id, connection_id, environment, revision, why, correlation_id, requested_at, "
        "requested_by, deadline) values ($1, $2, $3, $4, 'manual', 'corr-test-1', $5, 'test', $6)",
        *(verification_id, connection_id, environment, revision, now, deadline or now + timedelta(minutes=5)),
    )
    return verification_id


async def add_test(
    connection: asyncpg.Connection, *, requested_at: datetime | None = None, deadline: datetime | None = None
) -> UUID:
    """A pending test of unsaved values."""
    test_id, now = uuid4(), requested_at or datetime.now(UTC)
    await connection.execute(
        "insert into connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline) "
        "values ($1, 'development', 'tcp', 'corr-test-1', $2, 'test', $3)",
        *(test_id, now, deadline or now + timedelta(minutes=5)),
    )
    return test_id


async def succeed(connection: asyncpg.Connection, verification_id: UUID) -> None:
    await connection.execute(
        "update verifications set outcome = 'verified', completed_at = clock_timestamp(), "
        "expires_at = clock_timestamp() + interval '1 day' where id = $1",
        verification_id,
    )
