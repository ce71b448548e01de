"""A migrated database per test, copied from one that is migrated once per run."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from services.gateway.tests.migrated import LOGINS, PASSWORD, MigratedDatabase
from tests.harness import database as databases

from gateway.migrate import migrate


@pytest.fixture(scope="session")
async def schema_template(postgres: str) -> AsyncIterator[str]:
    made = await databases.create(postgres)
    await migrate(made.dsn)
    connection = await asyncpg.connect(made.dsn)
    for login in LOGINS:
        await connection.execute(f"alter role {login} password '{PASSWORD}'")
    await connection.close()
    yield made.name
    await databases.drop(postgres, made)


@pytest.fixture
async def migrated(postgres: str, schema_template: str) -> AsyncIterator[MigratedDatabase]:
    """A database with the newest schema and nothing in it."""
    made = await databases.create(postgres, template=schema_template)
    yield MigratedDatabase(made.name, made.dsn)
    await databases.drop(postgres, made)


@pytest.fixture
async def owner(migrated: MigratedDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to `migrated`, speaking JSON."""
    async with migrated.connect() as connection:
        yield connection
