"""Where reading begins after an assignment, and whether what is read really joins what was read before."""

import random
from collections.abc import Callable, Mapping

import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Partition, Positions
from clearline.chassis.group_member import GroupMember
from clearline.chassis.metrics import Metrics
from clearline.chassis.outage import Outage
from clearline.chassis.retry import KAFKA, classify
from clearline.contracts.topics import Topic

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Starts:
    """Finds the start of each assigned partition: its stored position, else its beginning."""

    def __init__(self, member: GroupMember, positions: Positions | None, outage: Outage, clock: Clock) -> None:
        self._member = member
        self._positions = positions
        self._outage = outage
        self._clock = clock

    async def find(self, still_wanted: Callable[[], bool]) -> dict[Partition, int]:
        """Try until it is known, or until a rebalance makes it moot (then empty)."""
        partitions, attempt = sorted(self._member.partitions), 0
        while still_wanted():
            attempt += 1
            try:
                source = self._member.committed if self._positions is None else self._positions.load
                known = await source(partitions)
                starts = {**await self._member.beginnings([p for p in partitions if p not in known]), **known}
            except Exception as error:  # noqa: BLE001 - whatever it is, without positions nothing can begin
                self._outage.begin(classify(error).reason)
                await self._clock.sleep(KAFKA.wait(attempt, random.random))
            else:
                self._outage.over()
                return starts
        return {}


class Continuity:
    """Notices what retention or a lost log took away between two polls. Gaps are normal on compacted topics."""

    def __init__(self, topics: Mapping[str, Topic], group: str, metrics: Metrics) -> None:
        self._topics = topics
        self._group = group
        self._metrics = metrics

    def check(self, partition: Partition, expected: int, arrived: int) -> int:
        """The offset at which a poll really continues."""
        if arrived == expected:
            return expected
        log = _LOG.bind(group=self._group, topic=partition.topic, partition=partition.number)
        if arrived > expected and not self._topics[partition.topic].compacted:
            self._metrics.lost.labels(partition.topic, self._group).inc(arrived - expected)
            log.error("records were deleted before they were read", first=expected, next=arrived)
        if arrived < expected:
            log.error("the log is shorter than it was; reading it from its beginning", known=expected, first=arrived)
        return min(arrived, expected)
