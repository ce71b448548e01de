"""One connection, and the list of them."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.queries.connection_objects import connection_objects
from gateway.queries.page import Place, TimeKey, listed
from gateway.queries.reading import Json, Reading
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class ConnectionById:
    """A connection in any state. One that the caller may not see does not exist for them."""

    connection_id: UUID

    async def run(self, reading: Reading) -> Json:
        """The connection. Raises CONNECTION_NOT_FOUND."""
        rows = await reading.connection.fetch(sql("connection_by_id"), self.connection_id)
        if not rows:
            raise ClearlineError("CONNECTION_NOT_FOUND", connection_id=str(self.connection_id))
        (shown,) = await connection_objects(reading, rows)
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConnections:
    """Connections, newest first; retired ones only where `lifecycle` asks for them."""

    limit: int
    cursor: str | None = None
    environment: str | None = None
    kind: str | None = None
    lifecycle: str | None = None
    verification: str | None = None
    health: str | None = None
    name: str | None = None

    async def run(self, reading: Reading) -> Json:
        """A page of connections."""
        filters = (self.environment, self.kind, self.lifecycle, self.verification, self.name)
        place = Place(TimeKey, "connections", (*filters, self.health))
        after = place.read(self.cursor)
        if self.health not in {None, "unknown"}:
            return listed([], None)  # until beats exist, every connection's health is unknown
        rows = await reading.connection.fetch(
            sql("connections_page"), *filters, after and after.at, after and after.id, self.limit + 1
        )
        page, following = place.page(rows, self.limit, lambda row: TimeKey(row["created_at"], row["id"]))
        return listed(await connection_objects(reading, page), following)
