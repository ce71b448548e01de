"""P3: what it costs to make a read model anew from its topic, and whether memory grows with the topic."""

import asyncio
from datetime import timedelta

import asyncpg
import psutil
from bench.measuring import PAIRS, Figure, Pair, Run, Stopwatch, compare
from bench.projecting import BATCH, ProjectingPlace
from bench.projecting_from_kafka import consuming_projector
from bench.servers import Servers
from bench.topics import filled
from prometheus_client import CollectorRegistry
from services.gateway.tests.projections.projecting import projecting

from clearline.chassis.clock import SystemClock
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway.metrics import GatewayMetrics
from gateway.projections import Surroundings
from gateway.read_model.pools import open_pool
from gateway.rebuild import Rebuilding

EVENTS = 20_000
FEW, MANY = 100_000, 1_000_000
_SAMPLE_SECONDS = 0.2


async def rebuilding(servers: Servers, scale: float) -> list[Figure]:
    """Against the projector on the same kind of events; then ten times as many, looking at memory."""
    amount = max(BATCH, round(EVENTS * scale))
    async with servers.migrated() as database, database.connect() as owner, projecting(database) as member:
        place = ProjectingPlace(database, owner, member)
        pool = await open_pool(database.login("clearline_projector"), name="bench-rebuild", max_size=2)

        async def rebuilt() -> Run:
            events = await place.told(amount)
            topic = await filled(servers.bootstrap, amount, events.__getitem__)
            with Stopwatch() as watch:
                await _rebuild(servers, pool, topic)
            return watch.run(amount)

        async def consumed() -> Run:
            events = await place.told(amount)
            topic = await filled(servers.bootstrap, amount, events.__getitem__)
            return await consuming_projector(servers.bootstrap, pool, topic, amount)

        speed = await compare(rebuilt, lambda: place.projected(amount // BATCH, BATCH))
        whole = await compare(rebuilt, consumed)
        memory = await _memory(servers, pool, round(FEW * scale), round(MANY * scale))
        await pool.close()
    return [
        Figure(number="P3", what="rebuild a read model", floor="projecting the same events (P2)", sense="at least",
               goal=0.8, pairs=speed, unit="events/s", note="the floor is given its events decoded"),
        Figure(number="P3", what="rebuild a read model", floor="the projector reading them from Kafka too",
               sense="at least", goal=0.8, pairs=whole, unit="events/s"),
        Figure(number="P3", what=f"memory while {MANY:,} events are rebuilt", floor=f"while {FEW:,} are",
               sense="at most", goal=1.1, pairs=memory, unit="MB"),
    ]  # fmt: skip


async def _rebuild(servers: Servers, pool: asyncpg.Pool, topic: Topic) -> None:
    around = Surroundings(SystemClock(), GatewayMetrics(CollectorRegistry()), timedelta(hours=1), CONNECTIONS)
    kafka = KafkaSettings(bootstrap_servers=(servers.bootstrap,))
    await Rebuilding(pool, kafka, around, say=lambda _: None).rebuild("verifications", source=topic)


async def _memory(servers: Servers, pool: asyncpg.Pool, few: int, many: int) -> tuple[Pair, ...]:
    """Peaks of this process. The events tell of verifications that nobody knows: they are read and looked up."""
    small, large = await filled(servers.bootstrap, few), await filled(servers.bootstrap, many)
    await _peak(servers, pool, small)  # warms up
    lows = [await _peak(servers, pool, small) for _ in range(PAIRS)]
    high = await _peak(servers, pool, large)
    return tuple(Pair(high, low) for low in lows)


async def _peak(servers: Servers, pool: asyncpg.Pool, topic: Topic) -> float:
    """The most memory in MB while the topic is rebuilt."""
    process, highest = psutil.Process(), 0.0
    working = asyncio.create_task(_rebuild(servers, pool, topic))
    while not working.done():
        highest = max(highest, process.memory_info().rss / 1024**2)
        await asyncio.wait({working}, timeout=_SAMPLE_SECONDS)
    await working
    return highest
