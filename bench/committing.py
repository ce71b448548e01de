"""P11: how often offsets are committed, counted where the broker keeps them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from bench.consuming import ours
from bench.measuring import Figure, Pair
from bench.servers import Servers
from bench.topics import filled

EVENTS = 120_000
_KEPT_ON = "__consumer_offsets"


async def committing(servers: Servers, scale: float) -> list[Figure]:
    """Commits per second and partition, while events come as fast as they can be handled."""
    pairs: list[Pair] = []
    await ours(servers, await filled(servers.bootstrap, 100), 100)  # makes the topic that offsets are kept on
    for _ in range(5):
        topic = await filled(servers.bootstrap, round(EVENTS * scale))
        async with _counting(servers) as count:
            run = await ours(servers, topic, round(EVENTS * scale))
            commits = await count() / topic.partitions
        pairs.append(Pair(commits / max(run.seconds, 1.0), 1.0, run.cpu_seconds))
    return [
        Figure(number="P11", what="offset commits at full speed", floor="one per second and partition", sense="at most",
               goal=10, pairs=tuple(pairs), unit="commits/s"),
    ]  # fmt: skip


@contextlib.asynccontextmanager
async def _counting(servers: Servers) -> AsyncIterator["_Count"]:
    async with AIOKafkaConsumer(bootstrap_servers=servers.bootstrap, exclude_internal_topics=False) as consumer:
        yield await _Count.begun(consumer)


class _Count:
    """Records written to the topic on which the broker keeps offsets: one for each partition of each commit."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._begin = 0

    @classmethod
    async def begun(cls, consumer: AIOKafkaConsumer) -> "_Count":
        """Counts from here."""
        self = cls(consumer)
        self._begin = await self._total()
        return self

    async def __call__(self) -> int:
        return await self._total() - self._begin

    async def _total(self) -> int:
        await asyncio.wait_for(self._consumer._client.add_topic(_KEPT_ON), 5)  # noqa: SLF001 - nobody else asks
        numbers = self._consumer.partitions_for_topic(_KEPT_ON) or ()
        ends = await self._consumer.end_offsets([TopicPartition(_KEPT_ON, number) for number in numbers])
        return sum(ends.values())
