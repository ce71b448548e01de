"""Reads topics once, up to the ends they have now, outside of any group: it commits nothing and disturbs nobody."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from clearline.chassis.consumption import Partition
from clearline.chassis.record import Record
from clearline.chassis.settings import KafkaSettings

POLL_MS = 500
ASK_SECONDS = 10.0
STUCK_SECONDS = 30.0
"""A broker's restart takes 3 to 5 s; whoever reads on after this much nothing is told instead."""


class ScanStuck(TimeoutError):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Kafka gives no more records although there are some: a partition has no leader, or Kafka is away."""


class TopicMissing(LookupError):  # noqa: N818 - as above
    """Kafka shows no such topic: it is missing or forbidden."""


class Scan:
    """One reading. `ends` were taken at its beginning, so it ends however fast others write."""

    def __init__(
        self, consumer: AIOKafkaConsumer, starts: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> None:
        self._consumer = consumer
        self.starts = dict(starts)
        self.ends = dict(ends)
        self.positions = dict(starts)

    @property
    def left(self) -> int:
        """Offsets that are still to be read, at most so many records."""
        return sum(max(0, end - self.positions[partition]) for partition, end in self.ends.items())

    async def batches(self, max_records: int = 1_000) -> AsyncIterator[dict[Partition, list[Record]]]:
        """Records in offset order per partition, until the ends. Raises `ScanStuck`."""
        consumer, quiet_since = self._consumer, asyncio.get_running_loop().time()
        for partition, start in self.starts.items():
            consumer.seek(_tp(partition), start)
        while left := [p for p, end in self.ends.items() if self.positions[p] < end]:
            consumer.pause(*(tp for tp in consumer.assignment() if _partition(tp) not in left))
            found = await consumer.getmany(*map(_tp, left), timeout_ms=POLL_MS, max_records=max_records)
            batch = {
                _partition(tp): [r for r in rs if r.offset < self.ends[_partition(tp)]] for tp, rs in found.items()
            }
            before = dict(self.positions)
            for partition in left:
                self.positions[partition] = await consumer.position(_tp(partition))
            now = asyncio.get_running_loop().time()
            if before != self.positions:
                quiet_since = now
            elif now - quiet_since > STUCK_SECONDS:
                raise ScanStuck(f"no record for {STUCK_SECONDS:.0f} s; {self.left} offsets are still to be read")
            if any(batch.values()):
                yield {partition: records for partition, records in batch.items() if records}

    async def one(self, partition: Partition, offset: int) -> Record | None:
        """The record at one place, or None where retention has taken it. Raises `ScanStuck`."""
        tp = _tp(partition)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                beginnings = await self._consumer.beginning_offsets([tp])
                if not beginnings[tp] <= offset < self.ends[partition]:
                    return None  # asked for, it would be waited for: on an emptied partition nothing comes instead
                self._consumer.pause(*self._consumer.assignment())
                self._consumer.resume(tp)
                self._consumer.seek(tp, offset)
                record: Record = await self._consumer.getone(tp)
        except TimeoutError:
            place = f"{partition.topic} {partition.number} at {offset}"
            raise ScanStuck(f"no record for {ASK_SECONDS:.0f} s although there is one: {place}") from None
        return record if record.offset == offset else None


@asynccontextmanager
async def scanning(
    settings: KafkaSettings,
    topics: Sequence[str],
    *,
    since_ms: int | None = None,
    starts: Mapping[Partition, int] | None = None,
) -> AsyncIterator[Scan]:
    """A reading of whole topics, of what was written since a time, or from given places on.

    Raises what aiokafka raises while no broker answers, and `TopicMissing`.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        **settings.client_options(),
        client_id="clearline-scan",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await consumer.start()
        places = [tp for topic in topics for tp in _places(consumer, topic)]
        consumer.unsubscribe()
        consumer.assign(places)
        async with asyncio.timeout(ASK_SECONDS):
            found = await _starts(consumer, places, since_ms)
            ends = await consumer.end_offsets(places)
        begin = {_partition(tp): _begin((starts or {}).get(_partition(tp), 0), found[tp], ends[tp]) for tp in places}
        yield Scan(consumer, begin, {_partition(tp): ends[tp] for tp in places})
    finally:
        stopping = asyncio.create_task(consumer.stop())
        await asyncio.wait({stopping}, timeout=2)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


def _places(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicMissing(f"Kafka shows no topic {topic}: it is missing or forbidden")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _starts(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], since_ms: int | None
) -> dict[TopicPartition, int]:
    beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(list(places))
    if since_ms is None:
        return beginnings
    ends = await consumer.end_offsets(list(places))
    found: dict[TopicPartition, Any] = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    return {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in places}


def _begin(wanted: int, first: int, end: int) -> int:
    """A place that retention took, or that a log made anew does not reach, is none: there it begins at the first."""
    return wanted if first <= wanted <= end else first


def _tp(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def _partition(tp: TopicPartition) -> Partition:
    return Partition(tp.topic, tp.partition)
