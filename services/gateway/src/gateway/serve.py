"""`gateway serve`: the composition root of HTTP, outbox relay and clock, in one event loop.

It starts and answers while Kafka and PostgreSQL are away (503, not ready) and goes on by itself when they come.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import structlog

from clearline.catalogue import load as load_catalogue
from clearline.chassis import logging
from clearline.chassis.clock import SystemClock
from clearline.chassis.health import CheckResult, Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings, load
from clearline.contracts.topics import TOPICS
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Sealer
from gateway.api.app import Surroundings, build, gateway_version
from gateway.api.measured import HttpMetrics
from gateway.api.server import HttpServer, PortTaken
from gateway.clock import Timekeeper
from gateway.commands.desk import Desk
from gateway.commands.work import Tools
from gateway.metrics import GatewayMetrics
from gateway.outbox_depth import OutboxDepth
from gateway.queries.store_watch import StoreWatch
from gateway.read_model.pools import open_pool
from gateway.relay import Relay
from gateway.settings import ServeSettings

RELAY_SECONDS, PRODUCER_SECONDS, POOL_SECONDS = 5.0, 4.0, 2.0
"""How long each part may take to stop; with HTTP's six seconds less than the twenty after which others kill."""
RELAY_POOL_SIZE = 3  # clock and outbox depth; the relay has a connection of its own
WRONG_USE = 2

_log = structlog.get_logger(__name__)


def main(_arguments: list[str]) -> None:
    """Run until SIGTERM."""
    settings, kafka = load(ServeSettings), load(KafkaSettings)
    logging.configure("gateway", settings)
    try:
        asyncio.run(_run(settings, kafka))
    except PortTaken as taken:
        sys.stderr.write(f"Cannot start: {taken}.\n")
        raise SystemExit(WRONG_USE) from None


async def _run(settings: ServeSettings, kafka: KafkaSettings) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    gateway = await compose(settings, kafka)
    await gateway.run(stop)


async def compose(settings: ServeSettings, kafka: KafkaSettings) -> "Gateway":
    """Put the gateway together; nothing is asked of Kafka or PostgreSQL yet. Raises `PortTaken`."""
    clock, metrics = SystemClock(), Metrics()
    own_metrics = GatewayMetrics(metrics.registry)
    metrics.tell_build(service="gateway", version=gateway_version(), installation=settings.installation)
    api_pool = await open_pool(
        settings.postgres_dsn.get_secret_value(), name="serve", max_size=settings.postgres_pool_size
    )
    relay_dsn = settings.postgres_relay_dsn.get_secret_value()
    relay_pool = await open_pool(relay_dsn, name="clock", max_size=RELAY_POOL_SIZE)
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id="gateway")
    depth = OutboxDepth(relay_pool, own_metrics, clock, settings.outbox_limit)
    watch = StoreWatch(api_pool, clock)
    tools = Tools(
        sealer=Sealer(settings.sealing_public_key),
        policy=OutboundPolicy.parse(settings.outbound_allow),
        new_id=uuid4,
        outbox_pending=lambda: depth.pending,
        outbox_limit=settings.outbox_limit,
    )
    health = Health()
    gateway = Gateway(
        api_pool=api_pool,
        relay_pool=relay_pool,
        producer=producer,
        relay=Relay(dsn=relay_dsn, publisher=producer, topics=TOPICS, metrics=own_metrics, clock=clock),
        server=HttpServer(
            build(
                Surroundings(
                    desk=Desk(api_pool, tools, watch.schema_is_there),
                    new_id=uuid4,
                    installation=settings.installation,
                    catalogue=load_catalogue(metrics.count_catalogue_miss),
                    operations=OpsApp(metrics, health),
                    metrics=HttpMetrics(metrics.registry),
                )
            ),
            settings.http_host,
            settings.http_port,
        ),
    )
    chance = random.SystemRandom().random
    timekeeper = Timekeeper(
        pool=relay_pool, clock=clock, metrics=own_metrics, interval=settings.clock_interval, chance=chance
    )
    gateway.background = [watch.run, depth.run, timekeeper.run]
    health.add("postgres", watch.check)
    health.add("serving", gateway.check)
    health.add("kafka", lambda: _kafka(producer), required=False)
    health.add("outbox", lambda: _outbox(depth, settings.outbox_limit), required=False)
    return gateway


@dataclass(kw_only=True)
class Gateway:
    """The parts of one process and the order in which they start and stop."""

    api_pool: asyncpg.Pool
    relay_pool: asyncpg.Pool
    producer: Producer
    relay: Relay
    server: HttpServer
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    stopping: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set or a part fails; then finish requests, then the relay's batch."""
        http = asyncio.create_task(self.server.run())
        relay = asyncio.create_task(self.relay.run())
        others = [asyncio.create_task(each()) for each in self.background]
        waiting = asyncio.create_task(stop.wait())
        _log.info("started", http_port=self.server.port)
        await asyncio.wait({http, relay, waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
        self.stopping = True
        self.server.stop()
        await _within(self.server.limit, http)
        self.relay.stop()
        await _within(RELAY_SECONDS, relay)
        for task in (waiting, *others):
            task.cancel()
        await self.producer.stop(PRODUCER_SECONDS)
        await _close(self.api_pool)
        await _close(self.relay_pool)
        await _tell_failures(http, relay, *others)
        _log.info("stopped")

    def check(self) -> CheckResult:
        """A process that stops takes no new requests."""
        return CheckResult(ok=not self.stopping, detail="stopping" if self.stopping else "taking requests")


async def _within(seconds: float, task: "asyncio.Task[None]") -> None:
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()


async def _close(pool: asyncpg.Pool) -> None:
    """Politely while the server answers; whatever is open then was rolled back or committed."""
    try:
        await asyncio.wait_for(pool.close(), POOL_SECONDS)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _tell_failures(*tasks: Awaitable[None]) -> None:
    """A part that failed takes the process down, so that its supervisor starts a whole one."""
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _kafka(producer: Producer) -> CheckResult:
    error = producer.last_error
    return CheckResult(ok=error is None, detail=f"events wait in the outbox: {error}" if error else "takes events")


def _outbox(depth: OutboxDepth, limit: int) -> CheckResult:
    return CheckResult(ok=not depth.is_full, detail=f"{depth.pending} events wait; the limit is {limit}")
