"""What one command is given: its transaction, its caller, time, ids, and the key that seals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, TypeVar
from uuid import UUID

from clearline.catalogue import ClearlineError
from clearline.contracts.event import Event, EventType
from clearline.contracts.ids import event_id
from clearline.contracts.topics import Topic
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Sealer
from gateway import outbox
from gateway.read_model.pools import Connection
from gateway.security.principal import Caller

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every command shares; made once, in the composition root."""

    sealer: Sealer
    policy: OutboundPolicy
    new_id: Callable[[], UUID]
    outbox_pending: Callable[[], int]
    """From the relay's gauge: a count that is a moment old is good enough for a limit."""
    outbox_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One command in its transaction. The aggregate's row is locked before anything is appended."""

    connection: Connection
    caller: Caller
    now: datetime
    """The database's clock as the transaction began."""
    command_id: UUID
    tools: Tools

    @property
    def by(self) -> str:
        """How audit and events name the caller."""
        return self.caller.principal.label

    async def publish(
        self,
        topic: Topic,
        event_type: EventType,
        connection_id: UUID,
        data: object,
        *,
        sequence: int | None = None,
        ordinal: int = 0,
    ) -> None:
        """Put an event about a connection into the outbox; `ordinal` tells several of one type apart.

        Raises OUTBOX_FULL past the limit.
        """
        if self.tools.outbox_pending() >= self.tools.outbox_limit:
            raise ClearlineError("OUTBOX_FULL", retry_after=30, limit=self.tools.outbox_limit)
        event = Event(
            id=event_id(self.command_id, event_type.name, ordinal),
            type=event_type,
            source="/clearline/gateway",
            subject=str(connection_id),
            time=self.now,
            key=str(connection_id),
            data=data,
            correlation_id=self.caller.correlation_id,
            causation_id=str(self.command_id),
            sequence=sequence,
        )
        await outbox.append(self.connection, topic, event)


class ToldOnce:
    """Marks what a command brings that may be told only once: it is not kept, and asking again gets `code` instead."""

    code: ClassVar[str]


class Command(Protocol[R_co]):
    """A use case with its input; `run` is called inside its transaction."""

    async def run(self, work: Work) -> R_co: ...
