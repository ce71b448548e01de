"""The life of a consumer, whichever way it consumes: join, restore positions, poll, commit, hand over, leave."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import structlog
from aiokafka.errors import KafkaError

from clearline.chassis.clock import Clock
from clearline.chassis.consumer import ConsumerStatus, Phase
from clearline.chassis.consumption import Partition, Positions
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate, TooManyDead
from clearline.chassis.group_member import GroupMember, Polled
from clearline.chassis.lease import LeaseLost
from clearline.chassis.metrics import Metrics
from clearline.chassis.outage import Outage
from clearline.chassis.producer import Producer
from clearline.chassis.progress import Progress, Standing
from clearline.chassis.readiness import judge
from clearline.chassis.retry import KAFKA
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.starts import Continuity, Starts
from clearline.contracts.topics import Topic

HAND_OVER_SECONDS = 5.0
COMMIT_SECONDS = 5.0
"""Beyond it a commit would go on by itself and land in a later generation of the group."""
TICK_SECONDS = 0.2
"""Five commits a second at most; ten are allowed per partition (P11)."""
LEAVE_SECONDS = 2.0
LAST_COMMIT_SECONDS = 1.5
"""With LEAVE_SECONDS, what a stop's deadline keeps for the time after the work."""
LOST_AFTER_SESSIONS = 3
"""Commits that have failed for so many sessions mean a membership that does not mend itself."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class GroupConsumer(ABC):
    """What batch and watermark consumption share. Subclasses say what happens to polled records."""

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        group: str,
        producer: Producer,
        metrics: Metrics,
        clock: Clock,
        positions: Positions | None,
        max_records: int,
        dead_letters: Topic,
        dead_letters_only_alarm: bool,
    ) -> None:
        self._topics = {topic.name: topic for topic in topics}
        self._group = group
        self._metrics = metrics
        self._clock = clock
        self._positions = positions
        self._max_records = max_records
        self._session = settings.session_timeout_ms / 1000
        self._dead_letters = DeadLetters(producer, dead_letters, group, metrics, clock)
        self._death_rate = DeathRate(alarm_only=dead_letters_only_alarm)
        self._outage = Outage(group, metrics, clock)
        self._progress = Progress(self._topics, group, metrics, clock, self._session)
        self._member = GroupMember(settings, list(self._topics), group, self._revoked, self._assigned)
        self._starts = Starts(self._member, positions, self._outage, clock)
        self._continuity = Continuity(self._topics, group, metrics)
        metrics.expect_group(group, self._topics)
        self._phase = Phase.STARTING
        self._commit_lock = asyncio.Lock()
        self._hand_over_lock = asyncio.Lock()
        self._failure: BaseException | None = None
        self._unrestored = False
        self._stopping = asyncio.Event()
        self._renewal = asyncio.Event()
        self._finished = asyncio.Event()
        self._finished.set()
        self._limit = HAND_OVER_SECONDS

    # What a way of consuming answers.

    @abstractmethod
    def _begin(self, starts: Mapping[Partition, int]) -> None:
        """Partitions are ours from these offsets on."""

    @abstractmethod
    async def _take(self, polled: Polled) -> None:
        """Handle, or begin to handle, what was polled."""

    @abstractmethod
    async def _finish(self, limit: float) -> None:
        """Take nothing new, wait at most `limit` seconds for what runs, cancel the rest."""

    @abstractmethod
    def _standings(self) -> Mapping[Partition, Standing]:
        """Where each owned partition stands."""

    @property
    @abstractmethod
    def _in_flight(self) -> int:
        """Handlers running now."""

    # What the outside calls.

    async def run(self) -> None:
        """Consume until `stop`; waits for Kafka instead of dying."""
        self._finished.clear()
        try:
            while not self._stopping.is_set():
                await self._one_membership()
        finally:
            self._phase = Phase.STOPPED
            self._finished.set()

    async def stop(self, deadline: float) -> None:
        """Take nothing new, finish or hand back what runs within `deadline` seconds, leave the group."""
        self._limit = max(0.0, deadline - LEAVE_SECONDS - LAST_COMMIT_SECONDS)
        self._stopping.set()
        await self._finished.wait()

    def renew(self) -> None:
        """Leave the group and join anew, as a restart of the process would; work in hand is handed over first."""
        self._renewal.set()

    def status(self) -> ConsumerStatus:
        """How it is doing, for readiness."""
        return judge(
            self._phase,
            self._progress,
            outage=self._outage,
            partitions=len(self._member.partitions),
            in_flight=self._in_flight,
            session=self._session,
        )

    # From joining the group to leaving it.

    async def _one_membership(self) -> None:
        self._renewal.clear()
        self._phase = Phase.STARTING
        life = asyncio.create_task(self._live())
        others = [asyncio.create_task(each) for each in (self._tick(), self._stopping.wait(), self._renewal.wait())]
        try:
            await asyncio.wait({life, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (life, *others):
                task.cancel()
            await asyncio.gather(life, *others, return_exceptions=True)
            await self._hand_over(self._limit)
            await self._member.leave(LEAVE_SECONDS)
        for task in (life, *others):
            if not task.cancelled() and (error := task.exception()) is not None:
                _LOG.error("consumption failed; joining the group anew", group=self._group, exc_info=error)
                await self._clock.sleep(KAFKA.wait(3, random.random))

    async def _live(self) -> None:
        await self._join()
        try:
            while True:
                if self._failure is not None:
                    raise self._failure
                if self._unrestored:
                    await self._restore()
                polled = await self._member.poll(self._max_records)
                self._progress.polled()
                if polled:
                    await self._take(polled)
        except TooManyDead:
            await self._stand_still()

    async def _join(self) -> None:
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._member.join()
            except (KafkaError, OSError) as error:
                if attempt == 1:
                    _LOG.warning("waiting for Kafka", group=self._group, reason=type(error).__name__)
                await self._member.leave(LEAVE_SECONDS)
                await self._clock.sleep(KAFKA.wait(attempt, random.random))
            else:
                if attempt > 1:
                    _LOG.info("Kafka is there; going on", group=self._group)
                return

    async def _restore(self) -> None:
        """Read the positions and begin at them; partitions stay paused until then."""
        self._phase, self._unrestored = Phase.RESTORING, False
        generation = self._member.generation
        starts = await self._starts.find(lambda: generation == self._member.generation)
        if generation != self._member.generation:
            return
        self._progress.begin()
        self._failure = None
        self._begin(starts)
        self._member.take_up(starts)
        self._phase = Phase.RUNNING

    async def _stand_still(self) -> None:
        """Stay a member, so that no other one empties the same partitions into the dead letters; wait for a person."""
        self._phase = Phase.STOPPED
        self._metrics.stopped.labels(self._group).set(1)
        _LOG.critical("too many dead letters: consumption stopped; look at them, then restart", group=self._group)
        frozen = dict(self._standings())
        await self._hand_over(HAND_OVER_SECONDS)
        while True:
            self._progress.observe(frozen)
            await self._clock.sleep(TICK_SECONDS)

    # Partitions come and go.

    def _assigned(self) -> None:
        self._unrestored = True
        self._metrics.rebalances.labels(self._group).inc()

    async def _revoked(self) -> None:
        await self._hand_over(HAND_OVER_SECONDS)

    async def _hand_over(self, limit: float) -> None:
        """Finish or cancel, commit the mark, forget: the next owner does the rest again under the same ids."""
        async with self._hand_over_lock:
            if not self._member.owned:
                return
            self._member.owned = False
            await self._finish(limit)
            await self._commit(last=True)
            self._begin({})
            self._outage.reset()
            self._progress.observe({})

    def _broken(self, error: BaseException) -> None:
        """Work that runs beside the poll loop failed in a way that no outcome covers: end this membership."""
        if self._failure is None and not isinstance(error, LeaseLost):
            self._failure = error

    # Commits.

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            if not self._member.owned:
                continue
            self._progress.observe(self._standings())
            await self._commit(last=False)
            if self._progress.commit_age > LOST_AFTER_SESSIONS * self._session:
                _LOG.error("no commit has succeeded for three sessions; joining the group anew", group=self._group)
                self.renew()

    async def _commit(self, *, last: bool) -> None:
        """Commit the marks that have moved. A failure is counted; the marks stay due."""
        async with self._commit_lock:
            if not (last or self._member.owned):
                return
            marks = {partition: standing.mark for partition, standing in self._standings().items()}
            if not (due := self._progress.due(marks, last=last)):
                return
            try:
                await self._member.commit(due, LAST_COMMIT_SECONDS if self._stopping.is_set() else COMMIT_SECONDS)
            except (KafkaError, TimeoutError) as error:
                self._metrics.commits.labels(self._group, "failed").inc()
                _LOG.info("commit failed", group=self._group, reason=type(error).__name__)
            else:
                self._metrics.commits.labels(self._group, "ok").inc()
                self._progress.committed(due)
