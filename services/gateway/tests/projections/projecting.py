"""A projector on a migrated database, and batches for it as a consumer would hand them over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Batch, Partition, Received, Span
from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS, VERIFICATIONS, Topic
from gateway.metrics import GatewayMetrics
from gateway.projections import Surroundings
from gateway.projector import CONSUMER, Projector
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions


async def cluster_id() -> str:
    return "the-cluster"


@dataclass
class Projecting:
    """One member; `next_offset` is where it believes that its partition stands."""

    projector: Projector
    positions: StoredPositions
    metrics: CollectorRegistry
    next_offset: int = 0

    async def take(self, *events: Event, topic: str = VERIFICATIONS.name, first: int | None = None) -> None:
        """Project a batch that begins at `first` (default: where this member stands)."""
        first = self.next_offset if first is None else first
        await self.projector.handle(batch(events, topic, first))
        self.next_offset = first + len(events)

    def count(self, metric: str, **labels: str) -> float:
        return self.metrics.get_sample_value(metric, labels) or 0


def batch(events: Sequence[Event], topic: str, first: int) -> Batch:
    place = Partition(topic, 0)
    records = [Received(place, first + at, event.key, event) for at, event in enumerate(events)]
    return Batch(records, {place: Span(first, first + len(events))})


@asynccontextmanager
async def projecting(migrated: MigratedDatabase, connections: Topic = CONNECTIONS) -> AsyncIterator[Projecting]:
    pool = await open_pool(migrated.login("clearline_projector"), name="test-project", max_size=2)
    registry = CollectorRegistry()
    positions = StoredPositions(pool, CONSUMER, cluster_id)
    await positions.load([Partition(VERIFICATIONS.name, 0)])
    around = Surroundings(SystemClock(), GatewayMetrics(registry), timedelta(hours=24), connections)
    try:
        yield Projecting(Projector(pool=pool, positions=positions, around=around), positions, registry)
    finally:
        await pool.close()
