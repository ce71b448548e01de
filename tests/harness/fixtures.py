"""The fixtures that every member's tests may ask for. Shared servers live as long as the test session."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.harness import containers
from tests.harness.database import Database, create, drop
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for servers' data, gone after the run."""
    folder = Path(tempfile.mkdtemp(prefix="clearline-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def kafka(server_folder: Path) -> AsyncIterator[str]:
    """Bootstrap servers of the session's broker: CLEARLINE_TEST_KAFKA, else a container, else the local binaries."""
    if given := os.environ.get("CLEARLINE_TEST_KAFKA"):
        yield given
    elif await asyncio.to_thread(containers.engine_answers):
        async with containers.kafka() as bootstrap:
            yield bootstrap
    else:
        server = KafkaServer.in_folder(server_folder / "kafka")
        await server.start()
        yield server.bootstrap
        await server.stop()


@pytest.fixture(scope="session")
async def postgres(server_folder: Path) -> AsyncIterator[str]:
    """A superuser's DSN of the session's server: CLEARLINE_TEST_POSTGRES, else a container, else the local binaries."""
    if given := os.environ.get("CLEARLINE_TEST_POSTGRES"):
        yield given
    elif await asyncio.to_thread(containers.engine_answers):
        async with containers.postgres() as dsn:
            yield dsn
    else:
        server = PostgresServer.in_folder(server_folder / "postgres")
        await server.start()
        yield server.dsn
        await server.stop()


@pytest.fixture(scope="module")
async def own_kafka() -> AsyncIterator[KafkaServer]:
    """A broker of this module's own, for faults: kill, pause, resume, restart."""
    folder = Path(tempfile.mkdtemp(prefix="clearline-kafka-"))
    server = KafkaServer.in_folder(folder)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def own_postgres() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL of this module's own, for faults: kill, pause, resume, restart."""
    folder = Path(tempfile.mkdtemp(prefix="clearline-postgres-"))
    server = PostgresServer.in_folder(folder)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Database]:
    """A database of this test's own."""
    made = await create(postgres)
    yield made
    await drop(postgres, made)
