"""The partitions of one member between two rebalances: taken up where they were left, handed over with their marks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from clearline.chassis.commits import Commits
from clearline.chassis.consumption import Partition
from clearline.chassis.group_member import GroupMember
from clearline.chassis.outage import Outage
from clearline.chassis.progress import Progress
from clearline.chassis.starts import Starts


class Ownership:
    """`begin` and `finish` are those of the way of consuming."""

    def __init__(
        self,
        *,
        member: GroupMember,
        starts: Starts,
        commits: Commits,
        progress: Progress,
        outage: Outage,
        begin: Callable[[Mapping[Partition, int]], None],
        finish: Callable[[float], Awaitable[None]],
    ) -> None:
        self._member = member
        self._starts = starts
        self._commits = commits
        self._progress = progress
        self._outage = outage
        self._begin = begin
        self._finish = finish
        self._one_at_a_time = asyncio.Lock()

    async def take_up(self) -> bool:
        """Read the positions and begin at them; partitions are paused until then. False: a rebalance came between."""
        generation = self._member.generation
        starts = await self._starts.find(lambda: generation == self._member.generation)
        if generation != self._member.generation:
            return False
        self._progress.begin()
        self._begin(starts)
        self._member.take_up(starts)
        return True

    async def hand_over(self, limit: float, commit_limit: float) -> None:
        """Finish or cancel, commit the mark, forget: the next owner does the rest again under the same ids."""
        async with self._one_at_a_time:
            if not self._member.owned:
                return
            self._member.owned = False
            await self._finish(limit)
            await self._commits.commit(last=True, limit=commit_limit)
            self._begin({})
            self._outage.reset()
            self._progress.observe({})
