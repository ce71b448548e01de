"""Where the projector's truth about its position lies: in the transaction of the effect, never in Kafka."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from clearline.chassis.consumption import Partition, Span
from clearline.chassis.settings import KafkaSettings
from gateway.read_model import sql
from gateway.read_model.pools import Connection

ClusterId = Callable[[], Awaitable[str]]


class StoredPositions:
    """Positions of one consumer. A Kafka that was lost and made anew is another cluster with offsets of its own."""

    def __init__(self, pool: asyncpg.Pool, consumer: str, cluster_id: ClusterId) -> None:
        self._pool = pool
        self._consumer = consumer
        self._ask_cluster_id = cluster_id
        self._cluster_id = ""

    async def load(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Next offset per partition; one that was never projected is left out."""
        self._cluster_id = await self._ask_cluster_id()
        topics, numbers = [each.topic for each in partitions], [each.number for each in partitions]
        rows = await self._pool.fetch(sql("positions_load"), self._consumer, self._cluster_id, topics, numbers)
        return {Partition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def advance(self, connection: Connection, spans: Mapping[Partition, Span]) -> bool:
        """Move every position from the first to the next offset of its span; false if one was elsewhere."""
        places = sorted(spans)
        moved = await connection.fetchval(
            sql("positions_advance"),
            self._consumer,
            self._cluster_id,
            [place.topic for place in places],
            [place.number for place in places],
            [spans[place].first for place in places],
            [spans[place].next for place in places],
        )
        return bool(moved == len(places))

    async def forget(self, connection: Connection, partitions: Sequence[Partition]) -> None:
        """Know nothing of these any more: whoever reads them next begins at their beginning."""
        topics, numbers = [each.topic for each in partitions], [each.number for each in partitions]
        await connection.execute(sql("positions_forget"), self._consumer, self._cluster_id, topics, numbers)


async def ask_cluster_id(settings: KafkaSettings) -> str:
    """The id that Kafka was formatted with."""
    admin = AIOKafkaAdminClient(request_timeout_ms=5000, **settings.client_options())
    try:
        await admin.start()
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()
