"""The session's servers as containers, where a Docker engine answers (the usual CI machine)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

KAFKA_IMAGE = "apache/kafka:4.4.0"
POSTGRES_IMAGE = "postgres:17.11-alpine"


def engine_answers() -> bool:
    """Whether a Docker engine is there; a client without one is not."""
    try:
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - slow to import

        DockerClient(timeout=2).client.ping()
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the local binaries serve
        return False
    return True


@asynccontextmanager
async def kafka() -> AsyncIterator[str]:
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 - needs an engine

    container = KafkaContainer(KAFKA_IMAGE).with_kraft()
    container.with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
    container.with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
    container.with_env("KAFKA_LOG_CLEANER_BACKOFF_MS", "500")
    await asyncio.to_thread(container.start)
    try:
        yield container.get_bootstrap_server()
    finally:
        await asyncio.to_thread(container.stop)


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - needs an engine

    container = PostgresContainer(POSTGRES_IMAGE, username="clearline", dbname="postgres", driver=None)
    container.with_command("postgres -c fsync=off -c max_connections=200")
    await asyncio.to_thread(container.start)
    try:
        yield container.get_connection_url()
    finally:
        await asyncio.to_thread(container.stop)
