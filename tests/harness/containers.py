"""The session's servers as containers, where a Docker engine answers (the usual CI machine)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.kafka import Broker, properties
from tests.harness.kafka import TEST_PROPERTIES, answers
from tests.harness.places import free_ports
from tests.harness.waiting import until

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
    """The same settings as the local broker's; the library's own Kafka container knows another vendor's image only."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - needs an engine

    [port] = free_ports(1)
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port).with_envs(**kafka_environment(port))
    await asyncio.to_thread(container.start)
    try:
        await until(lambda: answers(f"127.0.0.1:{port}"), within=60, every=0.5, what="the container's broker answers")
        yield f"127.0.0.1:{port}"
    finally:
        await asyncio.to_thread(container.stop)


def kafka_environment(port: int) -> dict[str, str]:
    """Apache's image takes every property as a variable. The port is the same inside and outside."""
    broker = Broker(Path("/tmp/kafka"), (), port, port - 1, TEST_PROPERTIES)
    settings = properties(broker) | {
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{port - 1}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


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
