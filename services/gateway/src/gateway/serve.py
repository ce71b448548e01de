"""`gateway serve`: the composition root of HTTP, outbox relay and clock, in one event loop.

It starts and answers while Kafka and PostgreSQL are away (503, not ready) and goes on by itself when they come.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import structlog

from clearline.catalogue import load as load_catalogue
from clearline.chassis import logging, tracing
from clearline.chassis.clock import SystemClock
from clearline.chassis.collector import freeze_what_stays
from clearline.chassis.environment import Problem
from clearline.chassis.health import CheckResult, Health
from clearline.chassis.listening import PortTaken
from clearline.chassis.loop_faults import quiet_kafka_client
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings, WrongSettings, load
from clearline.contracts.topics import TOPICS
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Sealer
from gateway.api.app import Surroundings, build, gateway_version
from gateway.api.measured import HttpMetrics
from gateway.api.server import HttpServer
from gateway.clock import Duties, Timekeeper
from gateway.commands.desk import Desk
from gateway.commands.work import Tools
from gateway.metrics import GatewayMetrics
from gateway.outbox_depth import OutboxDepth
from gateway.queries.ends_watch import EndsWatch
from gateway.queries.store_watch import StoreWatch
from gateway.read_model.pools import FAILING, open_pool
from gateway.relay import Relay
from gateway.rotation import RotationDuties
from gateway.security.addresses import networks
from gateway.security.fingerprint import Fingerprints
from gateway.security.limits import Allowances
from gateway.settings import ServeSettings
from gateway.unanswered import UnansweredRequests
from gateway.unproven import UnprovenConnections
from gateway.wakes import AFTER_COMMIT, Wakes

RELAY_SECONDS, PRODUCER_SECONDS, POOL_SECONDS = 5.0, 4.0, 2.0
"""How long each part may take to stop; with HTTP's six seconds less than the twenty after which others kill."""
RELAY_POOL_SIZE = 7  # clock, depth, unproven, unanswered, who waits for an end, wakes; the relay has one of its own
WRONG_USE = 2

_log = structlog.get_logger(__name__)


def main(_arguments: list[str]) -> None:
    """Run until SIGTERM."""
    settings, kafka = load(ServeSettings), load(KafkaSettings)
    logging.configure("gateway", settings)
    try:
        with tracing.exported("gateway", settings.installation):
            asyncio.run(_run(settings, kafka))
    except (PortTaken, WrongSettings) as wrong:
        sys.stderr.write(f"Cannot start: {wrong}\n")
        raise SystemExit(WRONG_USE) from None


async def _run(settings: ServeSettings, kafka: KafkaSettings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    quiet_kafka_client(loop)
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    gateway = await compose(settings, kafka)
    freeze_what_stays()
    await gateway.run(stop)


async def compose(settings: ServeSettings, kafka: KafkaSettings) -> "Gateway":
    """Put the gateway together; nothing is asked of Kafka or PostgreSQL yet. Raises `PortTaken`, `WrongSettings`."""
    clock, metrics, health = SystemClock(), Metrics(), Health()
    own_metrics = GatewayMetrics(metrics.registry)
    metrics.tell_build(service="gateway", version=gateway_version(), installation=settings.installation)
    api_dsn, relay_dsn = settings.postgres_dsn.get_secret_value(), settings.postgres_relay_dsn.get_secret_value()
    api_pool = await open_pool(api_dsn, name="serve", max_size=settings.postgres_pool_size, settings=AFTER_COMMIT)
    relay_pool = await open_pool(relay_dsn, name="clock", max_size=RELAY_POOL_SIZE)
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id="gateway")
    depth = OutboxDepth(relay_pool, own_metrics, clock, settings.outbox_limit)
    unproven = UnprovenConnections(relay_pool, own_metrics, clock)
    unanswered = UnansweredRequests(relay_pool, own_metrics, clock)
    watch, ends, wakes = StoreWatch(api_pool, clock), EndsWatch(relay_pool, clock), Wakes(relay_pool)
    chance = random.SystemRandom().random
    tools = _tools(settings, depth)
    timekeeper = Timekeeper(
        pool=relay_pool,
        clock=clock,
        metrics=own_metrics,
        interval=settings.clock_interval,
        chance=chance,
        duties=Duties(rotation=RotationDuties(current_key=tools.sealer.key_id)),
    )
    surroundings = Surroundings(
        desk=Desk(api_pool, tools, watch.schema_is_there, wakes.tell),
        new_id=uuid4,
        installation=settings.installation,
        catalogue=load_catalogue(metrics.count_catalogue_miss),
        operations=OpsApp(metrics, health),
        ends=ends,
        allowances=_allowances(settings),
        fingerprints=Fingerprints(settings.installation_key.get_secret_value().encode()),
        metrics=HttpMetrics(metrics.registry),
    )
    gateway = Gateway(
        pools=(api_pool, relay_pool),
        producer=producer,
        relay=Relay(dsn=relay_dsn, publisher=producer, topics=TOPICS, metrics=own_metrics, clock=clock),
        server=HttpServer(build(surroundings), settings.http_host, settings.http_port),
        ends=ends,
        background=(watch.run, ends.run, wakes.run, depth.run, unproven.run, unanswered.run, timekeeper.run),
    )
    health.add("postgres", watch.check)
    health.add("serving", gateway.check)
    health.add("kafka", lambda: _kafka(producer), required=False)
    health.add("outbox", lambda: _outbox(depth, settings.outbox_limit), required=False)
    health.add("verifications", unanswered.check, required=False)
    return gateway


def _tools(settings: ServeSettings, depth: OutboxDepth) -> Tools:
    """What commands share. Raises `WrongSettings` for a key or a network that is none."""
    with _names("CLEARLINE_SEALING_PUBLIC_KEY", "the public half of the stack's sealing key pair"):
        sealer = Sealer(settings.sealing_public_key)
    with _names("CLEARLINE_OUTBOUND_ALLOW", "10.20.0.0/16,192.0.2.7/32"):
        policy = OutboundPolicy.parse(settings.outbound_allow)
    return Tools(
        sealer=sealer,
        policy=policy,
        new_id=uuid4,
        outbox_pending=lambda: depth.pending,
        outbox_limit=settings.outbox_limit,
    )


def _allowances(settings: ServeSettings) -> Allowances:
    """What callers may do in a minute. Raises `WrongSettings` for a proxy's network that is none."""
    with _names("CLEARLINE_TRUSTED_PROXIES", "10.0.0.0/24"):
        proxies = networks(settings.trusted_proxies)
    return Allowances(
        commands=settings.rate_limit_commands,
        tests=settings.rate_limit_tests,
        failed_sign_ins=settings.rate_limit_sign_ins,
        trusted_proxies=proxies,
    )


@contextmanager
def _names(variable: str, example: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        problem = Problem(variable, f"is wrong: {error}", "", f"{variable}={example}")
        raise WrongSettings((problem,)) from None


@dataclass(kw_only=True)
class Gateway:
    """The parts of one process and the order in which they start and stop."""

    pools: Sequence[asyncpg.Pool]
    producer: Producer
    relay: Relay
    server: HttpServer
    ends: EndsWatch
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]]
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
        self.ends.let_go()
        self.server.stop()
        await _within(self.server.limit, http)
        self.relay.stop()
        await _within(RELAY_SECONDS, relay)
        for task in (waiting, *others):
            task.cancel()
        await self.producer.stop(PRODUCER_SECONDS)
        for pool in self.pools:
            await _close(pool)
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
        async with asyncio.timeout(POOL_SECONDS):
            await pool.close()
    except FAILING:
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
