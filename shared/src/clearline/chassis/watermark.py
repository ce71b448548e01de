"""Watermark consumption: concurrent, in order per key; the committed offset is the lowest unfinished one.

At a hand-over nothing new is begun, what runs gets a few seconds, the rest is cancelled and done again by the next
owner under the same ids; what was begun before it can publish nothing afterwards.
"""

import asyncio
from collections.abc import Mapping, Sequence

from clearline.chassis import lease
from clearline.chassis.clock import Clock
from clearline.chassis.consumption import ControlHandler, KeyedHandler, Partition, Received
from clearline.chassis.group_consumer import GroupConsumer
from clearline.chassis.group_member import Polled
from clearline.chassis.keyed_work import KeyedWork, OnDead
from clearline.chassis.lanes import Item, LaneKey, Lanes
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.progress import Standing
from clearline.chassis.reading import Reader
from clearline.chassis.record import Record
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import DEAD_LETTERS, Topic

__all__ = ["OnDead", "WatermarkConsumer"]

MAX_CONCURRENCY = 256
CANCEL_SECONDS = 1.0
"""How long cancelled handlers may take to end; afterwards their lease keeps them from publishing."""
MAX_POLL_RECORDS = 500


class WatermarkConsumer(GroupConsumer):
    """Runs a handler per record: bounded, in order per key, concurrent across keys."""

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        group: str,
        handler: KeyedHandler,
        producer: Producer,
        metrics: Metrics,
        clock: Clock,
        control: ControlHandler | None = None,
        on_dead: OnDead | None = None,
        concurrency: int = 64,
        high: int = 2_000,
        dead_letters: Topic = DEAD_LETTERS,
        dead_letters_only_alarm: bool = False,
    ) -> None:
        if not 1 <= concurrency <= MAX_CONCURRENCY:
            raise ValueError(f"concurrency is 1 to {MAX_CONCURRENCY}, not {concurrency}")
        super().__init__(
            settings=settings,
            topics=topics,
            group=group,
            producer=producer,
            metrics=metrics,
            clock=clock,
            positions=None,
            max_records=min(MAX_POLL_RECORDS, high),
            dead_letters=dead_letters,
            dead_letters_only_alarm=dead_letters_only_alarm,
        )
        self._reader = Reader(topics)
        self._control = control
        self._high = high
        self._lease = lease.Lease()
        self._lanes: dict[Partition, Lanes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._work = KeyedWork(
            group=group,
            handler=handler,
            on_dead=on_dead,
            concurrency=concurrency,
            dead_letters=self._dead_letters,
            death_rate=self._death_rate,
            outage=self._outage,
            metrics=metrics,
            clock=clock,
        )

    # What the life of a consumer asks.

    def _begin(self, starts: Mapping[Partition, int]) -> None:
        self._lanes = {partition: Lanes(partition, start) for partition, start in starts.items()}
        self._lease = lease.Lease()
        self._work.open()

    async def _take(self, polled: Polled) -> None:
        with lease.under(self._lease):
            for partition, records in polled.items():
                self._queue(self._lanes[partition], records)

    async def _finish(self, limit: float) -> None:
        await self._work.close(limit)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        self._lease.end()

    def _standings(self) -> Mapping[Partition, Standing]:
        return {
            partition: Standing(
                lanes.mark, self._member.end(partition), lanes.above[0].timestamp if lanes.above else None
            )
            for partition, lanes in self._lanes.items()
        }

    @property
    def _in_flight(self) -> int:
        return self._work.running

    # One partition's records.

    def _queue(self, lanes: Lanes, records: Sequence[Record]) -> None:
        self._continuity.check(lanes.partition, lanes.next, records[0].offset)
        for record in records:
            read = self._reader.read(lanes.partition, record)
            lanes.next = record.offset + 1
            if isinstance(read, Received) and self._work.is_control(self._control, read):
                continue
            if (key := lanes.add(Item(record, read))) is not None:
                task = asyncio.create_task(self._work_off(lanes, key))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
        if len(lanes.above) >= self._high and not lanes.paused:
            lanes.paused = True
            self._member.pause(lanes.partition)

    async def _work_off(self, lanes: Lanes, key: LaneKey) -> None:
        queue = lanes.queues[key]
        while queue and self._lanes.get(lanes.partition) is lanes:
            await self._work.do(queue[0])
            lanes.finish(key)
            if lanes.paused and len(lanes.above) < self._high // 2 and self._lanes.get(lanes.partition) is lanes:
                lanes.paused = False
                self._member.resume(lanes.partition)
        del lanes.queues[key]

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A lane that broke stops the consumer: its mark would stand still for ever, and nobody would know why."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken(error)
