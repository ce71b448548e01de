"""A projector as a process of its own, so that a test may kill it: `python -m … DSN BOOTSTRAP TOPIC DEAD GROUP LEDGER`.

Before it projects a batch it writes down which records it was given.
"""

import asyncio
import dataclasses
import os
import sys
from datetime import timedelta
from functools import partial

from services.gateway.tests.bus import kafka_settings, producer

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Batch
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Outcome
from clearline.contracts.topics import CONNECTIONS, DEAD_LETTERS, VERIFICATIONS
from gateway.metrics import GatewayMetrics
from gateway.projections import Surroundings
from gateway.projector import Projector
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id

MAX_RECORDS = 50


async def main(*told: str) -> None:
    dsn, bootstrap, topic, dead, group, ledger = told
    settings, clock, metrics = kafka_settings(bootstrap), SystemClock(), Metrics()
    pool = await open_pool(dsn, name="one-projector", max_size=2)
    positions = StoredPositions(pool, group, partial(ask_cluster_id, settings))
    around = Surroundings(clock, GatewayMetrics(metrics.registry), timedelta(hours=1), CONNECTIONS)
    projector = Projector(pool=pool, positions=positions, around=around)
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handle(batch: Batch) -> Outcome:
        lines = (f"{each.partition.number} {each.offset}\n" for each in batch.records)
        os.write(file, "".join(lines).encode())
        return await projector.handle(batch)

    await BatchConsumer(
        settings=settings,
        topics=[dataclasses.replace(VERIFICATIONS, name=topic, partitions=3)],
        group=group,
        handler=handle,
        producer=producer(bootstrap),
        metrics=metrics,
        clock=clock,
        positions=positions,
        max_records=MAX_RECORDS,
        dead_letters=dataclasses.replace(DEAD_LETTERS, name=dead),
    ).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
