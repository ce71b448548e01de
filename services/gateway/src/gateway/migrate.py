"""Applies the numbered SQL files in order, once, under a lock: the only way in which the schema ever changes.

Whoever runs second waits for the first and finds nothing to do. A file that was applied and then edited is an error.
"""

import asyncio
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import asyncpg
import structlog

from clearline.chassis.settings import load
from gateway.read_model.pools import AWAY, FAILING
from gateway.settings import MigrateSettings

_LOCK = 0x636C_6561_726C_696E  # "clearlin": one lock per database, whoever migrates it
_RETRY_SECONDS = 1.0
_RACED = (
    # Two databases of one cluster that make the same roles at once.
    asyncpg.InternalServerError,
    asyncpg.UniqueViolationError,
    # Processes that work meanwhile and take the same locks in another order, as a projector does.
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
)
"""Nothing was changed, and the same may work a moment later."""
_TRIES = 5

_log = structlog.get_logger(__name__)


class SchemaConflict(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """The database was migrated by files that this version does not have, or has with other contents."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def migrations() -> tuple[Migration, ...]:
    """Every migration that ships with this version, in order."""
    texts = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in files("gateway").joinpath("migrations").iterdir()
        if file.name.endswith(".sql")
    )
    return tuple(Migration(int(name[:4]), name, text) for name, text in texts)


def schema_version() -> int:
    """The schema that this code was written for: its newest migration."""
    return migrations()[-1].version


def pending(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is still to be applied, given the checksums by version that were. Raises `SchemaConflict`."""
    by_version = {migration.version: migration for migration in known}
    for version, checksum in sorted(applied.items()):
        if version not in by_version:
            raise SchemaConflict(
                f"The database has migration {version:04}, which this version does not know: it is newer. "
                "Start a Clearline at least as new as the one that migrated it."
            )
        if by_version[version].checksum != checksum:
            raise SchemaConflict(
                f"{by_version[version].name} was applied and has been changed since. "
                "Restore the file and put the change into a new migration."
            )
    return [migration for migration in known if migration.version not in applied]


async def migrate(dsn: str, known: Sequence[Migration] | None = None) -> list[str]:
    """Bring the database at `dsn` up to date; returns the names of the files applied. Waits for PostgreSQL."""
    connection = await _connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists schema_migrations (version integer primary key, name text not null, "
            "checksum text not null, applied_at timestamptz not null default clock_timestamp())"
        )
        rows = await connection.fetch("select version, checksum from schema_migrations")
        wanted = pending(known or migrations(), {row["version"]: row["checksum"] for row in rows})
        for migration in wanted:
            await _apply(connection, migration)
        return [migration.name for migration in wanted]
    finally:
        await connection.close()  # and with the session goes the lock


async def wait_for_schema(pool: asyncpg.Pool) -> None:
    """Return once the database has the schema that this code knows, or a newer one; says once what it waits for."""
    said = ""
    while (why := await _not_there(pool)) is not None:
        if why != said:
            _log.warning("waiting for the schema", why=why, wanted=schema_version(), remedy="run: gateway migrate")
            said = why
        await asyncio.sleep(_RETRY_SECONDS)


async def _not_there(pool: asyncpg.Pool) -> str | None:
    """Why work cannot begin yet; None when it can. A login that does not exist yet comes with the first migration."""
    try:
        found: int | None = await pool.fetchval("select max(version) from schema_migrations")
    except FAILING as error:
        return type(error).__name__
    return None if found is not None and found >= schema_version() else f"the schema is {found}"


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '5s'")
                await connection.execute(migration.sql)
                await connection.execute(
                    "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
                    *(migration.version, migration.name, migration.checksum),
                )
        except _RACED:
            if attempt == _TRIES:
                raise
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            _log.info("migration applied", migration=migration.name)
            return


async def _connect(dsn: str) -> asyncpg.Connection:
    said = False
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=10, server_settings={"application_name": "clearline-migrate"})
        except AWAY as error:
            if not said:
                _log.warning("waiting for PostgreSQL", error=str(error))
                said = True
            await asyncio.sleep(_RETRY_SECONDS)


def main(_arguments: list[str]) -> None:
    """`gateway migrate`: print what was applied; a conflict is told and exits 1."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the answer alone on stdout
    try:
        applied = asyncio.run(migrate(load(MigrateSettings).postgres_migrate_dsn.get_secret_value()))
    except SchemaConflict as conflict:
        sys.exit(str(conflict))
    print("\n".join(applied) or "The schema is current.")  # noqa: T201 - this is its answer
