"""Five times a second: tells how far the work has come, commits it, and notices a client that has to be replaced."""

from collections.abc import Callable, Mapping

import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.commits import Commits
from clearline.chassis.consumption import Partition
from clearline.chassis.group_member import GroupMember
from clearline.chassis.metrics import Metrics
from clearline.chassis.progress import Progress, Standing
from clearline.chassis.vital_signs import Ailment
from clearline.chassis.vitals import Vitals

TICK_SECONDS = 0.2
"""Five commits a second at most; ten are allowed per partition (P11)."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Pulse:
    """Of one member, from one membership to the next."""

    def __init__(
        self,
        *,
        member: GroupMember,
        progress: Progress,
        standings: Callable[[], Mapping[Partition, Standing]],
        commits: Commits,
        vitals: Vitals,
        group: str,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._member = member
        self._progress = progress
        self._standings = standings
        self._commits = commits
        self._vitals = vitals
        self._group = group
        self._renewals = metrics.renewals
        self._clock = clock

    async def beat(self, *, busy: Callable[[], bool], halted: Callable[[], bool]) -> None:
        """Return once the client is stuck. `busy`: a handler keeps the poll loop; `halted`: nothing is polled."""
        while True:
            await self._clock.sleep(TICK_SECONDS)
            if self._member.owned:
                self._progress.observe(self._standings())
                await self._commits.commit()
            if not halted() and (ailment := self._vitals.ailment(busy=busy())) is not None:
                self.tell_stuck(ailment)
                return

    def tell_stuck(self, ailment: Ailment) -> None:
        """In the log and in a metric, so that it is seen how often a broker's restart costs us the client."""
        self._renewals.labels(self._group, ailment.value).inc()
        _LOG.error(
            "the Kafka client is stuck; joining the group anew with a new one",
            group=self._group,
            ailment=ailment.value,
            lag_seconds=round(self._progress.lag_seconds, 1),
        )
