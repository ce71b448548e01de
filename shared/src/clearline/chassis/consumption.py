"""The words that handlers and the chassis share: a received record, a batch, positions, and the two handler shapes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from clearline.chassis.outcome import Outcome
from clearline.contracts.event import Event


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of one topic."""

    topic: str
    number: int


class Received(msgspec.Struct, frozen=True, gc=False):
    """An event with the place it was read from. `event` is None for a tombstone on a compacted topic."""

    partition: Partition
    offset: int
    key: str
    event: Event | None


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets a batch covers in one partition, dead-lettered and skipped records included."""

    first: int
    next: int
    """One past the last: the position to store."""


GiveUp = Callable[[Received, BaseException], Awaitable[None]]
"""Names a record that fails whenever it is tried, and why. Returns when its dead letter is in Kafka."""


async def nobody_gives_up(_: Received, why: BaseException) -> None:
    """Of a batch that no consumer handed over: the failure stands."""
    raise why


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one poll, in offset order per partition, and the span they cover in each."""

    records: Sequence[Received]
    spans: Mapping[Partition, Span]
    give_up: GiveUp = field(default=nobody_gives_up, compare=False)
    """A handler that knows which record is guilty calls this before it commits the rest, which then passes that one.
    Should it fail later all the same, it is given the batch again without those that it gave up."""


KeyedHandler = Callable[[Received], Awaitable[Outcome]]
"""Watermark consumption: one record, in order per key, concurrent across keys. May be cancelled at revocation."""

ControlHandler = Callable[[Received], bool]
"""Sees every record as it is read, ahead of its key's queue; True means that it was a control record and is done."""

BatchHandler = Callable[[Batch], Awaitable[Outcome]]
"""Batch consumption: one transaction. An exception is classified by `clearline.chassis.retry`."""


class Positions(Protocol):
    """Where a batch consumer's truth about its position lives, when it is not Kafka."""

    async def load(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Next offset per partition; a partition without one is left out and starts at its beginning."""
        ...


class PositionMoved(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """A batch does not begin at its stored position: another member has gone on, or the store was set back.

    Nothing was written. The consumer loads the positions of its partitions anew, seeks to them and goes on.
    """
