"""Events on their way to Kafka, each topic's beside the others': whatever one waits for, no other waits with it.

What Kafka did not take before is tried apart even from the rest of its topic. Until it is known what became of events,
their place is left out of the relay's look; so no event overtakes an earlier one of its key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from clearline.chassis.delivery import Receipt
from gateway.relay_batch import Row
from gateway.relay_stuck import Place

TOGETHER_SECONDS = 0.25  # an acknowledgement takes some milliseconds; what takes longer is not waited for
LOOK_SECONDS = 0.1  # between two looks while something is under way and nothing else may go

Send = Callable[[Sequence[Row]], Coroutine[Any, Any, list[Receipt]]]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that share their fate: of one topic, and either of places that were stuck or of others."""

    rows: list[Row]
    places: frozenset[Place]
    """That no other row may go to meanwhile."""
    again: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sending:
    """A part under way."""

    part: Part
    began: float
    task: asyncio.Task[list[Receipt]]


def parted(rows: Sequence[Row], stuck: Collection[Place]) -> list[Part]:
    """The rows by topic, in their order, those of `stuck` places by themselves."""
    found: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        topic = row.outgoing.topic.name
        found[topic, (topic, None) in stuck or (topic, row.key) in stuck].append(row)
    parts = []
    for (topic, again), each in found.items():
        only_keys = again and (topic, None) not in stuck
        places = frozenset((topic, row.key if only_keys else None) for row in each)
        parts.append(Part(each, places, again))
    return parts


class Sendings:
    """What one relay has under way. It ends with the relay's lock: `give_up`."""

    def __init__(self, send: Send, now: Callable[[], float]) -> None:
        self._send = send
        self._now = now
        self._under_way: list[Sending] = []
        self._awaited: list[Sending] = []

    def __bool__(self) -> bool:
        return bool(self._under_way)

    @property
    def places(self) -> set[Place]:
        """To be left out of the next look."""
        return {place for sending in self._under_way for place in sending.part.places}

    def begin(self, parts: Sequence[Part]) -> None:
        """Send these too. Nobody waits for what was stuck before."""
        begun = [Sending(part, self._now(), asyncio.create_task(self._send(part.rows))) for part in parts]
        self._under_way += begun
        self._awaited = [sending for sending in begun if not sending.part.again]

    async def ended(self, lost: asyncio.Event) -> list[Sending]:
        """Wait a moment for what was begun last, and tell of all that have ended. Returns early when `lost` is set."""
        losing = asyncio.ensure_future(lost.wait())
        try:
            await self._wait(losing)
        finally:
            losing.cancel()
        ended = [sending for sending in self._under_way if sending.task.done()]
        self._under_way = [sending for sending in self._under_way if sending not in ended]
        return ended

    async def give_up(self) -> None:
        """Send nothing more: another relay may lead by now."""
        tasks = [sending.task for sending in self._under_way]
        self._under_way, self._awaited = [], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, losing: "asyncio.Future[Any]") -> None:
        if not self._awaited:
            tasks = {sending.task for sending in self._under_way}
            await asyncio.wait({losing, *tasks}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return
        together = asyncio.ensure_future(asyncio.wait({sending.task for sending in self._awaited}))
        self._awaited = []
        await asyncio.wait({losing, together}, timeout=TOGETHER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        together.cancel()
