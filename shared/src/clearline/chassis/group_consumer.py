"""The life of a consumer, whichever way it consumes: it joins, consumes until it has to stop or stand still, leaves."""

import asyncio
import random
from typing import Unpack

import structlog

from clearline.chassis.commits import COMMIT_SECONDS, Commits
from clearline.chassis.consumer import ConsumerStatus, Phase
from clearline.chassis.consumption import Positions
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.death_rate import DeathRate, TooManyDead
from clearline.chassis.group_member import GroupMember
from clearline.chassis.halt import Halt
from clearline.chassis.joining import LEAVE_SECONDS, join
from clearline.chassis.lease import LeaseLost
from clearline.chassis.membership import Membership
from clearline.chassis.outage import Outage
from clearline.chassis.ownership import Ownership
from clearline.chassis.progress import Progress
from clearline.chassis.pulse import Pulse
from clearline.chassis.readiness import judge
from clearline.chassis.retry import KAFKA
from clearline.chassis.starts import Continuity, Starts
from clearline.chassis.vital_signs import Ailment
from clearline.chassis.vitals import Vitals
from clearline.chassis.way import Way
from clearline.contracts.topics import DEAD_LETTERS

HAND_OVER_SECONDS = 5.0
LAST_COMMIT_SECONDS = 1.5
"""With LEAVE_SECONDS, what a stop's deadline keeps for the time after the work."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class GroupConsumer(Way):
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
        self._continuity = Continuity(self._topics, group, metrics)
        metrics.expect_group(group, self._topics)
        self._vitals = Vitals(self._member, self._progress, clock, self._session)
        commits = Commits(self._member, self._progress, self._standings, group, metrics)
        self._ownership = Ownership(
            member=self._member,
            starts=Starts(self._member, positions, self._outage, clock),
            commits=commits,
            progress=self._progress,
            outage=self._outage,
            begin=self._begin,
            finish=self._finish,
        )
        self._pulse = Pulse(
            member=self._member,
            progress=self._progress,
            standings=self._standings,
            commits=commits,
            vitals=self._vitals,
            group=group,
            metrics=metrics,
            clock=clock,
        )
        self._phase = Phase.STARTING
        self._failure: BaseException | None = None
        self._halt = Halt(group, self._progress, metrics, clock)
        self._unrestored = False
        self._takes = False
        """Whether the poll loop is inside of `_take`: until it comes back nobody polls, and no client is to blame."""
        self._stopping = asyncio.Event()
        self._renewal = asyncio.Event()
        self._finished = asyncio.Event()
        self._finished.set()
        self._limit = HAND_OVER_SECONDS

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
        if not self._halt.on:
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
        pulse = self._pulse.beat(busy=lambda: self._takes, halted=lambda: self._halt.on)
        beside = (pulse, self._vitals.watch(), self._stopping.wait(), self._renewal.wait())
        others = [asyncio.create_task(each) for each in beside]
        try:
            await asyncio.wait({life, *others}, return_when=asyncio.FIRST_COMPLETED)
            if life.cancelled():  # by nobody here: aiokafka hands on the cancellation of a task of its own
                self._pulse.tell_stuck(Ailment.CLIENT_ENDED)
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
        await join(self._member, self._group, self._clock)
        try:
            while not self._halt.on:
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
            self._halt.begin(self._standings())
        await self._stand_still()

    async def _restore(self) -> None:
        self._phase, self._unrestored = Phase.RESTORING, False
        if await self._ownership.take_up():
            self._failure = None
            self._phase = Phase.RUNNING

    async def _stand_still(self) -> None:
        """Stay a member, so that no other one empties the same partitions into the dead letters; wait for a person."""
        self._phase = Phase.HALTED
        await self._hand_over(HAND_OVER_SECONDS)
        await self._halt.last()

    # Partitions come and go.

    def _assigned(self) -> None:
        self._unrestored = True
        self._metrics.rebalances.labels(self._group).inc()

    async def _revoked(self) -> None:
        await self._hand_over(HAND_OVER_SECONDS)

    async def _hand_over(self, limit: float) -> None:
        await self._ownership.hand_over(limit, LAST_COMMIT_SECONDS if self._stopping.is_set() else COMMIT_SECONDS)

    def _broken(self, error: BaseException) -> None:
        """Work that runs beside the poll loop failed in a way that no outcome covers: end this membership."""
        if self._failure is None and not isinstance(error, LeaseLost):
            self._failure = error
