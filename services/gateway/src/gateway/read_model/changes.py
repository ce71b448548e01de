"""Notices for live pages, written in the transaction that makes the change visible."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from clearline.contracts.event import EventType
from gateway.read_model import sql
from gateway.read_model.pools import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """Something about a connection is different now; the page reads the rest with its own rights."""

    type: str
    connection_id: UUID
    environment: str
    version: int | None = None

    @classmethod
    def of(cls, event_type: EventType, connection_id: UUID, environment: str, version: int | None = None) -> "Change":
        """The notice of an event: `connection.verified`."""
        return cls(event_type.slug.partition("/")[0], connection_id, environment, version)


async def tell(connection: Connection, changes: Sequence[Change]) -> None:
    """Write the notices, in this order."""
    if changes:
        await connection.execute(
            sql("changes_tell"),
            [change.type for change in changes],
            [change.connection_id for change in changes],
            [change.environment for change in changes],
            [change.version for change in changes],
        )
