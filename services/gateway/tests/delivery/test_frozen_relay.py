"""A relay whose process is frozen loses its lock, another one goes on, and the frozen one wakes as a bystander."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from services.gateway.tests.bus import configured, everything_on, own
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from clearline.contracts.topics import CONNECTIONS, Topic
from gateway import outbox

ROOT = Path(__file__).parents[4]
EMPTY = "select not exists (select from outbox)"
LOST_AFTER = 10.0  # seconds of silence, by PostgreSQL's idle_session_timeout


@asynccontextmanager
async def relay_process(
    migrated: MigratedDatabase, kafka: str, topic: Topic
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = (migrated.login("clearline_relay"), kafka, topic.name)
    module = "services.gateway.tests.delivery.one_relay"
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, cwd=ROOT)
    try:
        yield child
    finally:
        child.kill()
        await child.wait()


async def append(owner: asyncpg.Connection, topic: Topic, key: UUID, numbers: range) -> None:
    for number in numbers:
        await outbox.append(owner, topic, configured(key, number))


async def test_a_frozen_relay_is_replaced_and_wakes_as_a_bystander(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, key = await own(kafka, CONNECTIONS, partitions=1), uuid4()
    async with relay_process(migrated, kafka, topic) as first:
        await append(owner, topic, key, range(1, 50))
        await until(lambda: owner.fetchval(EMPTY), within=30)
        first.send_signal(signal.SIGSTOP)
        async with relay_process(migrated, kafka, topic):
            await append(owner, topic, key, range(50, 100))
            await until(lambda: owner.fetchval(EMPTY), within=LOST_AFTER + 30, every=0.1)
            first.send_signal(signal.SIGCONT)
            await append(owner, topic, key, range(100, 150))
            await until(lambda: owner.fetchval(EMPTY), within=30)
    assert [record.sequence for record in await everything_on(kafka, topic)] == list(range(1, 150))
