"""Watermark consumption: concurrent, in order per key; the committed offset is the lowest unfinished one.

At a hand-over nothing new is begun, what runs gets a few seconds, the rest is cancelled and done again by the next
owner under the same ids; what was begun before it can publish nothing afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Unpack

from clearline.chassis.burial import Burial, OnDead
from clearline.chassis.calling import Calling
from clearline.chassis.consumption import ControlHandler, KeyedHandler, Partition, Received
from clearline.chassis.group_consumer import GroupConsumer
from clearline.chassis.group_member import Polled
from clearline.chassis.keyed_work import KeyedWork
from clearline.chassis.lanes import Item, Lanes
from clearline.chassis.membership import Membership
from clearline.chassis.progress import Standing
from clearline.chassis.reading import Reader
from clearline.chassis.record import Record

__all__ = ["OnDead", "WatermarkConsumer"]

MAX_CONCURRENCY = 256
MAX_POLL_RECORDS = 500


class WatermarkConsumer(GroupConsumer):
    """Runs a handler per record: bounded, in order per key, concurrent across keys."""

    def __init__(
        self,
        *,
        handler: KeyedHandler,
        control: ControlHandler | None = None,
        on_dead: OnDead | None = None,
        concurrency: int = 64,
        high: int = 2_000,
        **membership: Unpack[Membership],
    ) -> None:
        if not 1 <= concurrency <= MAX_CONCURRENCY:
            raise ValueError(f"concurrency is 1 to {MAX_CONCURRENCY}, not {concurrency}")
        super().__init__(positions=None, max_records=min(MAX_POLL_RECORDS, high), **membership)
        metrics, clock = self._metrics, self._clock
        self._reader = Reader(membership["topics"])
        self._high = high
        self._concurrency = concurrency
        self._calling = Calling(self._group, handler, control, metrics, clock)
        self._burial = Burial(self._dead_letters, self._death_rate, on_dead, metrics, clock)
        self._lanes: dict[Partition, Lanes] = {}
        self._work = self._new_work()
        metrics.in_flight.labels(self._group).set_function(lambda: self._work.running)

    # What the life of a consumer asks.

    def _begin(self, starts: Mapping[Partition, int]) -> None:
        self._lanes = {partition: Lanes(partition, start) for partition, start in starts.items()}
        self._work = self._new_work()

    async def _take(self, polled: Polled) -> None:
        for partition, records in polled.items():
            self._queue(self._lanes[partition], records)
        self._work.kick()

    async def _finish(self, limit: float) -> None:
        await self._work.close(limit)

    def _standings(self) -> Mapping[Partition, Standing]:
        self._calling.tell()
        return {
            partition: Standing(lanes.mark, self._member.end(partition), lanes.oldest_ms)
            for partition, lanes in self._lanes.items()
        }

    @property
    def _in_flight(self) -> int:
        return self._work.running

    # One partition's records.

    def _new_work(self) -> KeyedWork:
        return KeyedWork(
            group=self._group,
            calling=self._calling,
            burial=self._burial,
            concurrency=self._concurrency,
            death_rate=self._death_rate,
            outage=self._outage,
            metrics=self._metrics,
            clock=self._clock,
            moved=self._resume_when_low,
            broken=self._broken,
        )

    def _queue(self, lanes: Lanes, records: Sequence[Record]) -> None:
        self._continuity.check(lanes.partition, lanes.next, records[0].offset)
        for record in records:
            read = self._reader.read(lanes.partition, record)
            lanes.next = record.offset + 1
            if isinstance(read, Received) and self._calling.is_control(read):
                continue
            if (key := lanes.add(Item(record, read))) is not None:
                self._work.add(lanes, key)
        if len(lanes.above) >= self._high and not lanes.paused:
            lanes.paused = True
            self._member.pause(lanes.partition)

    def _resume_when_low(self, lanes: Lanes) -> None:
        """Of lanes that are still ours: a handler may end after its partition was handed over."""
        if lanes.paused and len(lanes.above) < self._high // 2 and self._lanes.get(lanes.partition) is lanes:
            lanes.paused = False
            self._member.resume(lanes.partition)
