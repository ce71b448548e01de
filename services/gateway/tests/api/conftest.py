"""The API over real HTTP semantics and a real PostgreSQL; events are read from the outbox, verifications are ended by hand."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from services.gateway.tests.api_stand import ApiStand, open_stand
from services.gateway.tests.migrated import MigratedDatabase


@pytest.fixture
async def stand(migrated: MigratedDatabase, owner: asyncpg.Connection) -> AsyncIterator[ApiStand]:
    async with open_stand(migrated, owner) as opened:
        yield opened


@pytest.fixture
def tcp_draft() -> Callable[..., dict[str, object]]:
    def draft(**changes: object) -> dict[str, object]:
        return {
            "name": "warehouse",
            "environment": "development",
            "owner": "data-team",
            "kind": "tcp",
            "config": {"host": "db.example.com", "port": 5432},
            **changes,
        }

    return draft
