"""What a projection is: the event types it reads and what it writes, inside the one transaction of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from clearline.chassis.clock import Clock
from clearline.contracts.event import Event, EventType
from clearline.contracts.topics import Topic
from gateway.metrics import GatewayMetrics
from gateway.read_model.pools import Connection


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What projections are given besides the events."""

    clock: Clock
    metrics: GatewayMetrics
    validity: timedelta
    connections: Topic
    """Where a connection's state is published once more."""


class Projection(Protocol):
    """One read model."""

    name: str
    types: tuple[EventType, ...]
    uses_inbox: bool
    """Whether repeats are taken out before `apply`; a projection guarded by a sequence needs them in."""

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        """Write the effect of `events`, in their order. It must be right without events that were dead-lettered."""
        ...
