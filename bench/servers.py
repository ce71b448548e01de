"""A Kafka and a PostgreSQL of the benchmarks' own, gone afterwards. Unlike the tests' one the database syncs."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.gateway.tests.migrated import MigratedDatabase, make_template
from tests.harness import database as databases
from tests.harness.database import Database
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer

DURABLE = {"max_connections": "200", "shared_buffers": "256MB"}
"""Commits reach the disk, as in production."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both are reached."""

    kafka: KafkaServer
    postgres: PostgresServer
    template: Database

    @property
    def bootstrap(self) -> str:
        """Of the broker."""
        return self.kafka.bootstrap

    @asynccontextmanager
    async def migrated(self) -> AsyncIterator[MigratedDatabase]:
        """A migrated database, dropped afterwards."""
        made = await databases.create(self.postgres.dsn, template=self.template.name)
        try:
            yield MigratedDatabase(made.name, made.dsn)
        finally:
            await databases.drop(self.postgres.dsn, made)


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Start both; stop both."""
    folder = Path(tempfile.mkdtemp(prefix="clearline-bench-"))
    kafka, postgres = KafkaServer.in_folder(folder / "kafka"), PostgresServer.in_folder(folder / "postgres", DURABLE)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for server in (kafka, postgres):
            stack.push_async_callback(server.stop)
            await server.start()
        yield Servers(kafka, postgres, await make_template(postgres.dsn))
