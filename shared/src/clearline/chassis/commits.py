"""The commits of one member: which marks are due, one at a time, never outside of an ownership."""

import asyncio
from collections.abc import Callable, Mapping

import structlog
from aiokafka.errors import KafkaError

from clearline.chassis.consumption import Partition
from clearline.chassis.group_member import GroupMember
from clearline.chassis.metrics import Metrics
from clearline.chassis.progress import Progress, Standing

COMMIT_SECONDS = 5.0
"""Beyond it a commit would go on by itself and land in a later generation of the group."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Commits:
    """Tells Kafka how far the work has come. A commit that fails is counted, and its marks stay due."""

    def __init__(
        self,
        member: GroupMember,
        progress: Progress,
        standings: Callable[[], Mapping[Partition, Standing]],
        group: str,
        metrics: Metrics,
    ) -> None:
        self._member = member
        self._progress = progress
        self._standings = standings
        self._group = group
        self._count = metrics.commits
        self._one_at_a_time = asyncio.Lock()

    async def commit(self, *, last: bool = False, limit: float = COMMIT_SECONDS) -> None:
        """Commit the marks that have moved. `last`: the partitions are being handed over and no longer count as owned.

        Between a hand-over and the next ownership nothing may be committed: it would cost a further rebalance.
        """
        async with self._one_at_a_time:
            if not (last or self._member.owned):
                return
            marks = {partition: standing.mark for partition, standing in self._standings().items()}
            if due := self._progress.due(marks, last=last):
                await self._send(due, limit)

    async def _send(self, due: Mapping[Partition, int], limit: float) -> None:
        try:
            await self._member.commit(due, limit)
        except (KafkaError, TimeoutError) as error:
            self._count.labels(self._group, "failed").inc()
            _LOG.info("commit failed", group=self._group, reason=type(error).__name__)
        else:
            self._count.labels(self._group, "ok").inc()
            self._progress.committed(due)
