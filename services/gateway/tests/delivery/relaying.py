"""A relay that runs while a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.contracts.topics import Topic
from gateway.metrics import GatewayMetrics
from gateway.relay import Publisher, Relay

EMPTY = "select not exists (select from outbox)"


@asynccontextmanager
async def relaying(
    migrated: MigratedDatabase,
    publisher: Publisher,
    topic: Topic,
    *,
    poll: float = 0.2,
    clock: SystemClock | None = None,
    metrics: GatewayMetrics | None = None,
) -> AsyncIterator[Relay]:
    relay = Relay(
        dsn=migrated.login("clearline_relay"),
        publisher=publisher,
        topics=[topic],
        metrics=metrics or GatewayMetrics(CollectorRegistry()),
        clock=clock or SystemClock(),
        poll_seconds=poll,
    )
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await asyncio.wait_for(running, 15)


async def drained(migrated: MigratedDatabase, within: float = 10) -> None:
    async with migrated.connect() as connection:
        await until(lambda: connection.fetchval(EMPTY), within=within, what="an empty outbox")
