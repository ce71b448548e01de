"""One member of a consumer group: a thin shell over aiokafka's consumer that never commits or waits unasked.

Partitions arrive paused and stay so until `take_up`, because no heartbeat runs inside aiokafka's callbacks and their
errors are only logged: positions are read outside of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from clearline.chassis.consumption import Partition
from clearline.chassis.record import Record
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.vital_signs import Reach

Polled = Mapping[Partition, list[Record]]

POLL_MS = 200
ASK_SECONDS = 10.0
REBALANCE_TIMEOUT_MS = 30_000
"""At least hand-over (5 s) + last commit (5 s) + 10 s: a longer drain than this makes members evict each other."""
MAX_POLL_INTERVAL_MS = 365 * 24 * 60 * 60 * 1000
"""Never: a batch that waits for its database does not poll, and a halted member that left on its own would have another
one empty its partitions into the dead letters. Whether we move is told by readiness."""

Handover = Callable[[], Awaitable[None]]


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types for it
    """Connection, assignment, polls and commits of one consumer in one group."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        group: str,
        hand_over: Handover,
        assigned: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._group = group
        self._hand_over = hand_over
        self._assigned = assigned
        self._consumer: AIOKafkaConsumer | None = None
        self.generation = 0
        """Changes whenever partitions come or go: what was read under another one is not ours any more."""
        self.owned = False
        """From `take_up` to the hand-over: only then are records taken and offsets committed."""
        self.partitions: frozenset[Partition] = frozenset()
        self.waits = False
        """For an assignment: once it has joined, and after each revocation; not while it still connects."""
        self._ends: dict[Partition, int] = {}

    async def join(self) -> None:
        """Connect and join. Raises while no broker answers or a topic is missing."""
        session = self._settings.session_timeout_ms
        self.waits = False
        self._consumer = AIOKafkaConsumer(
            **self._settings.client_options(),
            client_id=self._settings.group_instance_id or f"clearline-{self._group}",
            group_id=self._group,
            group_instance_id=self._settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=session,
            heartbeat_interval_ms=max(300, session // 10),
            rebalance_timeout_ms=max(REBALANCE_TIMEOUT_MS, session),
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        )
        self._consumer.subscribe(topics=list(self._topics), listener=self)
        generation = self.generation
        await self._consumer.start()
        self.waits = generation == self.generation

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Called by aiokafka before it joins anew; heartbeats go on meanwhile."""
        self.generation += 1
        self.waits = True
        if revoked or self.owned:
            await self._hand_over()
        self.owned = False

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Called by aiokafka while no heartbeat runs: note it, and be gone."""
        if self._consumer is None:
            return  # it was closed while it waited for this
        self._consumer.pause(*assigned)
        self.generation += 1
        self.owned, self.waits = False, False
        self._ends.clear()
        self.partitions = frozenset(Partition(tp.topic, tp.partition) for tp in assigned)
        self._assigned()

    def take_up(self, starts: Mapping[Partition, int]) -> None:
        """Begin to read the assigned partitions at these offsets."""
        for partition, offset in starts.items():
            self._kafka.seek(_tp(partition), offset)
        self._kafka.resume(*map(_tp, starts))
        self.owned = True

    async def poll(self, max_records: int) -> Polled:
        """Records of the partitions we own, possibly none; what a rebalance overtook is left out."""
        generation = self.generation
        found = await self._kafka.getmany(timeout_ms=POLL_MS, max_records=max_records)
        if not self.owned or generation != self.generation:
            return {}
        return {Partition(tp.topic, tp.partition): records for tp, records in found.items()}

    async def commit(self, offsets: Mapping[Partition, int], limit: float) -> None:
        """Commit exactly these. Raises what aiokafka raises, or TimeoutError after `limit` seconds."""
        async with asyncio.timeout(limit):
            await self._kafka.commit({_tp(partition): offset for partition, offset in offsets.items()})

    async def committed(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Committed offset per partition; one without is left out."""
        async with asyncio.timeout(ASK_SECONDS):
            found = await asyncio.gather(*(self._kafka.committed(_tp(partition)) for partition in partitions))
        return {partition: offset for partition, offset in zip(partitions, found, strict=True) if offset is not None}

    async def beginnings(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Offset of the oldest record still there, per partition."""
        if not partitions:
            return {}
        async with asyncio.timeout(ASK_SECONDS):
            found = await self._kafka.beginning_offsets([_tp(partition) for partition in partitions])
        return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def look(self, limit: float) -> dict[Partition, Reach]:
        """Ask the broker where its partitions end, past whatever fetches; tell of those read now. No answer: empty."""
        places = [_tp(partition) for partition in self.partitions] if self.owned else []
        generation, read = self.generation, [tp for tp in places if tp not in self._kafka.paused()]
        if not places:
            return {}
        try:
            async with asyncio.timeout(limit):
                ends = await self._kafka.end_offsets(places)
                positions = {tp: await self._kafka.position(tp) for tp in read}
        except (KafkaError, TimeoutError, OSError):
            return {}  # the next commit fails too, and says so
        if generation != self.generation:
            return {}
        self._ends = {Partition(tp.topic, tp.partition): end for tp, end in ends.items()}
        return {Partition(tp.topic, tp.partition): Reach(at, ends[tp]) for tp, at in positions.items()}

    def end(self, partition: Partition) -> int | None:
        """One past the newest record that the last fetch or the last look told of."""
        tp = _tp(partition)
        if self._consumer is None or tp not in self._consumer.assignment():
            return None
        known = (self._consumer.highwater(tp), self._ends.get(partition))
        return max((offset for offset in known if offset is not None), default=None)

    @property
    def runs(self) -> bool:
        """Whether the client's own tasks run: what coordinates, and what fetches. Neither is ever begun again.

        aiokafka tells nobody when they end, so this and `heart_beats` look inside of it; the tests end each of them.
        """
        coordinator, fetcher = self._parts()
        tasks = (getattr(coordinator, "_coordination_task", None), getattr(fetcher, "_fetch_task", None))
        return not any(task is not None and task.done() for task in tasks)

    @property
    def heart_beats(self) -> bool:
        """False once its heartbeats have ended; for a moment that is so in every rebalance."""
        heart = getattr(self._parts()[0], "_heartbeat_task", None)
        return heart is None or not heart.done()

    def _parts(self) -> tuple[object, object]:
        consumer = self._consumer
        return getattr(consumer, "_coordinator", None), getattr(consumer, "_fetcher", None)

    def pause(self, partition: Partition) -> None:
        """Stop reading one partition; polling goes on."""
        self._kafka.pause(_tp(partition))

    def resume(self, partition: Partition) -> None:
        """Read it again."""
        self._kafka.resume(_tp(partition))

    async def leave(self, limit: float) -> None:
        """Leave the group and close, within `limit` seconds whatever the broker does.

        aiokafka's own `stop()` can hang for minutes and raise a cancellation that nobody sent while the broker is
        away: it runs in a task of its own.
        """
        consumer, self._consumer, self.owned = self._consumer, None, False
        if consumer is None:
            return
        stopping: asyncio.Task[Any] = asyncio.create_task(consumer.stop())
        await asyncio.wait({stopping}, timeout=limit)
        if not stopping.done():
            stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)

    @property
    def _kafka(self) -> AIOKafkaConsumer:
        assert self._consumer is not None, "join() comes first"
        return self._consumer


def _tp(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)
