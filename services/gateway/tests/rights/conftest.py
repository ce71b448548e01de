"""The API on a database of this folder's own: the matrix fills it with rows of every environment."""

from collections.abc import AsyncIterator

import pytest
from services.gateway.tests.api_stand import ApiStand, open_stand
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness import database as databases


@pytest.fixture(scope="session")
async def rights_stand(postgres: str, schema_template: str) -> AsyncIterator[ApiStand]:
    made = await databases.create(postgres, template=schema_template)
    database = MigratedDatabase(made.name, made.dsn)
    async with database.connect() as owner, open_stand(database, owner) as stand:
        yield stand
    await databases.drop(postgres, made)
