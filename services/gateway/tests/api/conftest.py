"""The API on a real PostgreSQL: events are read from the outbox, verifications are ended by hand."""

from collections.abc import AsyncIterator, Callable

import pytest
from services.gateway.tests.api_stand import ApiStand, open_stand
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness import database as databases

TABLES = (
    *("connection_credentials", "verification_operator_details", "service_connection_profiles"),
    *(
        "connection_tests",
        "verifications",
        "connection_revisions",
        "outbox",
        "changes",
        "audit",
        "tokens",
        "idempotency_keys",
    ),
    *("reseals", "key_rotations", "sealing_keys"),
)


@pytest.fixture(scope="session")
async def api_database(postgres: str, schema_template: str) -> AsyncIterator[MigratedDatabase]:
    """One for all tests here: copying the template costs most of a second."""
    made = await databases.create(postgres, template=schema_template)
    yield MigratedDatabase(made.name, made.dsn)
    await databases.drop(postgres, made)


@pytest.fixture(scope="session")
async def open_gateway(api_database: MigratedDatabase) -> AsyncIterator[ApiStand]:
    async with api_database.connect() as owner, open_stand(api_database, owner) as opened:
        yield opened


@pytest.fixture
async def stand(open_gateway: ApiStand) -> ApiStand:
    """A gateway without anything in it."""
    owner = open_gateway.owner
    await owner.execute("set session_replication_role = replica")  # two tables name each other
    for table in TABLES:
        await owner.execute(f"delete from {table}")  # noqa: S608 - our own names
    await owner.execute("set session_replication_role = origin")
    await open_gateway.start_over()
    return open_gateway


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
