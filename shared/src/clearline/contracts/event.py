"""One fact or request on the bus: the CloudEvents 1.0 attributes and a typed body, apart from any wire format."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

SOURCE_PREFIX = "/clearline/"

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its offset from UTC (RFC 3339); one without is refused, for nobody knows when it was."""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every event body. Unknown fields are ignored: they come from a newer producer of the same version.

    Frozen and made of JSON, a body is never part of a cycle, so the collector need not look at it.
    """


@dataclass(frozen=True, slots=True)
class EventType:
    """A wire type with its version, written out and never derived from a class name."""

    name: str
    """For example `clearline.connection.verified.v1`."""
    body: type[Body]
    meaning: str
    """One sentence for the generated documentation."""

    @property
    def slug(self) -> str:
        """Folder of its golden examples and schema: `connection.verified/v1`."""
        stem, _, version = self.name.removeprefix("clearline.").rpartition(".")
        return f"{stem}/{version}"


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as the code sees it; `clearline.chassis.cloudevents` turns it into a Kafka record and back."""

    id: UUID
    type: EventType
    source: str
    """`/clearline/<service>`."""
    subject: str
    """Id of what it is about: connection, test, run, incident or group."""
    time: datetime
    """When it happened, UTC."""
    key: str
    """Record key and CloudEvents `partitionkey`: all events of one key stay in order."""
    data: Any
    """An instance of `type.body`; for a request that never reads it, see the handler's annotation."""
    correlation_id: str
    causation_id: str | None = None
    """Id of the event or command that caused this one."""
    sequence: int | None = None
    """State version on compacted topics; a consumer ignores a lower one than it has seen."""
    traceparent: str | None = None
    """W3C trace context of the work that published it."""
