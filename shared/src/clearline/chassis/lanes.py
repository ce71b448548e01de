"""One owned partition under watermark consumption: a queue per key, and the lowest offset that is not finished."""

from collections import deque
from dataclasses import dataclass, field

import msgspec

from clearline.chassis.consumption import Partition, Received
from clearline.chassis.outcome import Dead
from clearline.chassis.record import Record

LaneKey = bytes | int
"""The record key; for a record without one its offset, since it asks for no order."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """A record in its lane: read, or found to be unreadable."""

    record: Record
    read: Received | Dead


@dataclass(eq=False, slots=True)
class Lanes:
    """Offsets above the watermark and the lanes they stand in."""

    partition: Partition
    next: int
    """First offset that was not taken yet."""
    above: deque[Record] = field(default_factory=deque)
    """Records from the watermark on, finished or not, in offset order; the first one is unfinished."""
    finished: set[int] = field(default_factory=set)
    """Finished offsets above the first unfinished one."""
    queues: dict[LaneKey, deque[Item]] = field(default_factory=dict)
    paused: bool = False

    def add(self, item: Item) -> LaneKey | None:
        """Queue a record; its lane's key if the lane is new and needs someone to work it off."""
        record = item.record
        self.above.append(record)
        key: LaneKey = record.key if record.key is not None else record.offset
        if (queue := self.queues.get(key)) is not None:
            queue.append(item)
            return None
        self.queues[key] = deque((item,))
        return key

    def finish(self, key: LaneKey) -> None:
        """The head of a lane has its effect: take it off and let the watermark rise."""
        offset = self.queues[key].popleft().record.offset
        above, finished = self.above, self.finished
        if above[0].offset != offset:
            finished.add(offset)
            return
        above.popleft()
        while above and above[0].offset in finished:
            finished.discard(above.popleft().offset)

    @property
    def oldest_ms(self) -> int | None:
        """Timestamp of the oldest unfinished record."""
        return self.above[0].timestamp if self.above else None

    @property
    def mark(self) -> int:
        """The lowest unfinished offset: what may be committed."""
        return self.above[0].offset if self.above else self.next
