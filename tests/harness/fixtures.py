"""The fixtures that every member's tests may ask for. Shared servers live as long as the test session."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

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
def kafka(server_folder: Path) -> Iterator[str]:
    """Bootstrap servers of the session's broker: CLEARLINE_TEST_KAFKA, else a container, else the local binaries."""
    if given := os.environ.get("CLEARLINE_TEST_KAFKA"):
        yield given
    elif containers.engine_answers():
        yield from _contained(containers.kafka())
    else:
        server = KafkaServer.in_folder(server_folder / "kafka")
        yield from _running(server, server.bootstrap)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[str]:
    """A superuser's DSN of the session's server: CLEARLINE_TEST_POSTGRES, else a container, else the local binaries."""
    if given := os.environ.get("CLEARLINE_TEST_POSTGRES"):
        yield given
    elif containers.engine_answers():
        yield from _contained(containers.postgres())
    else:
        server = PostgresServer.in_folder(server_folder / "postgres")
        yield from _running(server, server.dsn)


def _running(server: KafkaServer | PostgresServer, address: str) -> Iterator[str]:
    """Not an async fixture: one would be made anew for every kind of event loop that tests ask for."""
    with _now() as do:
        do(server.start())
        yield address
        do(server.stop())


def _contained(container: AbstractAsyncContextManager[str]) -> Iterator[str]:
    with _now() as do:
        yield do(container.__aenter__())
        do(container.__aexit__(None, None, None))


@contextmanager
def _now() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Run coroutines on a loop of one's own, leaving the tests' loop alone."""
    loop = asyncio.new_event_loop()
    try:
        yield loop.run_until_complete
    finally:
        loop.close()


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
