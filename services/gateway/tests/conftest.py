"""A migrated database per test, copied from one that is migrated once per run."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase, make_template
from tests.harness import database as databases


@pytest.fixture(scope="session")
async def schema_template(postgres: str) -> AsyncIterator[str]:
    """Name of the database to copy; a run that is started by a test is given one that is there already."""
    if given := os.environ.get("CLEARLINE_TEST_SCHEMA"):
        yield given
        return
    made = await make_template(postgres)
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
