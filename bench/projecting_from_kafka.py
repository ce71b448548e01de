"""The projector as it runs: it reads and decodes what it projects, as a rebuild does."""

import asyncio
from datetime import timedelta
from functools import partial

import asyncpg
from bench.measuring import Run, Stopwatch
from bench.projecting import BATCH
from tests.harness.waiting import until

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway.metrics import GatewayMetrics
from gateway.projections import Surroundings
from gateway.projector import Projector
from gateway.read_model.positions import StoredPositions, ask_cluster_id

_DONE = "select coalesce(sum(next_offset), 0) >= $2 from positions where topic = $1"


async def consuming_projector(bootstrap: str, pool: asyncpg.Pool, topic: Topic, amount: int) -> Run:
    """From its start, which a rebuild's time holds too, to the position behind the last event."""
    kafka, clock, metrics = KafkaSettings(bootstrap_servers=(bootstrap,)), SystemClock(), Metrics()
    positions = StoredPositions(pool, f"bench {topic.name}", partial(ask_cluster_id, kafka))
    around = Surroundings(clock, GatewayMetrics(metrics.registry), timedelta(hours=1), CONNECTIONS)
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id="bench-project")
    consumer = BatchConsumer(
        settings=kafka,
        topics=[topic],
        group=f"bench-{topic.name}",
        handler=Projector(pool=pool, positions=positions, around=around).handle,
        producer=producer,
        metrics=metrics,
        clock=clock,
        positions=positions,
        max_records=BATCH,
    )
    with Stopwatch() as watch:
        running = asyncio.create_task(consumer.run())
        await until(partial(pool.fetchval, _DONE, topic.name, amount), within=600, every=0.01)
    await consumer.stop(5)
    await running
    await producer.stop()
    return watch.run(amount)
