"""`gateway project`: the composition root of the process that brings facts from Kafka into the read models."""

import asyncio
from functools import partial

from clearline.chassis import logging, tracing
from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.service import Worker, until_signal
from clearline.chassis.settings import KafkaSettings, load
from clearline.contracts.topics import CONNECTIONS
from gateway.metrics import GatewayMetrics
from gateway.migrate import wait_for_schema
from gateway.projections import Surroundings
from gateway.projector import CONSUMER, TOPICS, Projector
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id
from gateway.settings import ProjectSettings

_POOL_SIZE = 3  # one batch at a time, positions, and the wait for the schema
_STATEMENT_TIMEOUT_MS = 30_000  # a batch of 500 takes 20 ms; a busy disk may take its time


def main(_arguments: list[str]) -> None:
    """Run until SIGTERM."""
    settings, kafka = load(ProjectSettings), load(KafkaSettings)
    logging.configure("gateway-project", settings)
    with tracing.exported("gateway-project", settings.installation):
        asyncio.run(_run(settings, kafka))


async def _run(settings: ProjectSettings, kafka: KafkaSettings) -> None:
    dsn = settings.postgres_dsn.get_secret_value()
    pool = await open_pool(dsn, name="project", max_size=_POOL_SIZE, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    clock, metrics = SystemClock(), Metrics()
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id="gateway-project")
    positions = StoredPositions(pool, CONSUMER, partial(ask_cluster_id, kafka))
    around = Surroundings(clock, GatewayMetrics(metrics.registry), settings.verification_validity, CONNECTIONS)
    consumer = BatchConsumer(
        settings=kafka,
        topics=TOPICS,
        group=CONSUMER,
        handler=Projector(pool=pool, positions=positions, around=around).handle,
        producer=producer,
        metrics=metrics,
        clock=clock,
        positions=positions,
    )
    around.metrics.follow(consumer.status)
    worker = Worker(
        name="gateway-project",
        settings=settings,
        producer=producer,
        consumers={"facts": consumer},
        metrics=metrics,
        clock=clock,
        ready=(partial(wait_for_schema, pool),),
    )
    try:
        await until_signal(worker)
    finally:
        pool.terminate()  # whatever is in it was rolled back or committed
