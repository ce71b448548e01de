"""The life of a consumer, whichever way it consumes: join, restore positions, poll, commit, hand over, leave."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Unpack

import structlog
from aiokafka.errors import KafkaError

from clearline.chassis.commits import COMMIT_SECONDS, Commits
from clearline.chassis.consumer import ConsumerStatus, Phase
from clearline.chassis.consumption import Partition, Positions
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate, TooManyDead
from clearline.chassis.group_member import GroupMember, Polled
from clearline.chassis.lease import LeaseLost
from clearline.chassis.membership import Membership
from clearline.chassis.outage import Outage
from clearline.chassis.progress import Progress, Standing
from clearline.chassis.readiness import judge
from clearline.chassis.retry import KAFKA
from clearline.chassis.starts import Continuity, Starts
from clearline.chassis.vital_signs import Ailment
from clearline.chassis.vitals import Vitals
from clearline.contracts.topics import DEAD_LETTERS

HAND_OVER_SECONDS = 5.0
TICK_SECONDS = 0.2
"""Five commits a second at most; ten are allowed per partition (P11)."""
LEAVE_SECONDS = 2.0
LAST_COMMIT_SECONDS = 1.5
"""With LEAVE_SECONDS, what a stop's deadline keeps for the time after the work."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class GroupConsumer(ABC):
    """What batch and watermark consumption share. Subclasses say what happens to polled records."""

    def __init__(
        self,
        *,
        positions: Positions | None,
        max_records: int,
        **membership: Unpack[Membership],
    ) -> None:
        settings, group = membership["settings"], membership["group"]
        self._metrics, self._clock = metrics, clock = membership["metrics"], membership["clock"]
        self._topics = {topic.name: topic for topic in membership["topics"]}
        self._group = group
        self._positions = positions
        self._max_records = max_records
        self._session = settings.session_timeout_ms / 1000
        grave = membership.get("dead_letters", DEAD_LETTERS)
        self._dead_letters = DeadLetters(membership["producer"], grave, group, metrics, clock)
        self._death_rate = DeathRate(alarm_only=membership.get("dead_letters_only_alarm", False))
        self._outage = Outage(group, metrics, clock)
        self._progress = Progress(self._topics, group, metrics, clock, self._session)
        self._member = GroupMember(settings, list(self._topics), group, self._revoked, self._assigned)
        self._starts = Starts(self._member, positions, self._outage, clock)
        self._continuity = Continuity(self._topics, group, metrics)
        metrics.expect_group(group, self._topics)
        self._commits = Commits(self._member, self._progress, self._standings, group, metrics)
        self._vitals = Vitals(self._member, self._progress, clock, self._session)
        self._phase = Phase.STARTING
        self._hand_over_lock = asyncio.Lock()
        self._failure: BaseException | None = None
        self._halted_at: Mapping[Partition, Standing] | None = None
        """Where it stood when it halted; from then on it joins the group only to hold its partitions."""
        self._unrestored = False
        self._takes = False
        """Whether the poll loop is inside of `_take`: until it comes back nobody polls, and no client is to blame."""
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
        """Leave the group and join anew, work in hand being handed over first. A halted consumer stays as it is."""
        if self._halted_at is None:
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
        self._vitals.begin()
        life = asyncio.create_task(self._live())
        beside = (self._tick(), self._vitals.watch(), self._stopping.wait(), self._renewal.wait())
        others = [asyncio.create_task(each) for each in beside]
        try:
            await asyncio.wait({life, *others}, return_when=asyncio.FIRST_COMPLETED)
            if life.cancelled():  # by nobody here: aiokafka hands on the cancellation of a task of its own
                self._tell_stuck(Ailment.CLIENT_ENDED)
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
        self._takes = False
        await self._join()
        try:
            while self._halted_at is None:
                if self._failure is not None:
                    raise self._failure
                if self._unrestored:
                    await self._restore()
                polled = await self._member.poll(self._max_records)
                self._progress.polled()
                if polled:
                    self._takes = True
                    await self._take(polled)
                    self._takes = False
        except TooManyDead:
            self._halt()
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

    def _halt(self) -> None:
        self._halted_at = dict(self._standings())
        self._metrics.stopped.labels(self._group).set(1)
        _LOG.critical(
            "too many dead letters: consumption stopped; look (clearline dead-letters list), mend the cause, restart",
            group=self._group,
        )

    async def _stand_still(self) -> None:
        """Stay a member, so that no other one empties the same partitions into the dead letters; wait for a person."""
        self._phase = Phase.HALTED
        await self._hand_over(HAND_OVER_SECONDS)
        while True:
            self._progress.observe(self._halted_at or {})
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
            await self._commits.commit(
                last=True, limit=LAST_COMMIT_SECONDS if self._stopping.is_set() else COMMIT_SECONDS
            )
            self._begin({})
            self._outage.reset()
            self._progress.observe({})

    def _broken(self, error: BaseException) -> None:
        """Work that runs beside the poll loop failed in a way that no outcome covers: end this membership."""
        if self._failure is None and not isinstance(error, LeaseLost):
            self._failure = error

    # Five times a second.

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            if self._member.owned:
                self._progress.observe(self._standings())
                await self._commits.commit()
            if self._phase is not Phase.HALTED and (ailment := self._vitals.ailment(busy=self._takes)) is not None:
                self._tell_stuck(ailment)
                self.renew()
                return

    def _tell_stuck(self, ailment: Ailment) -> None:
        self._metrics.renewals.labels(self._group, ailment.value).inc()
        _LOG.error(
            "the Kafka client is stuck; joining the group anew with a new one",
            group=self._group,
            ailment=ailment.value,
            lag_seconds=round(self._progress.lag_seconds, 1),
        )
