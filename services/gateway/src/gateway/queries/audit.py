"""Who did what and when: everything that the caller may see, or the history of one connection."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.queries.page import NumberKey, Place, listed
from gateway.queries.reading import Json, Reading, Row
from gateway.queries.visible import require_connection
from gateway.read_model import sql

_WHO = ("id", "at", "principal", "token_id", "action", "correlation_id", "parts")
_ENTRY = (*_WHO, "object_type", "object_id", "environment", "before", "after")
_VALUES = ("before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAudit:
    """The audit, newest first."""

    limit: int
    cursor: str | None = None
    principal: str | None = None
    token_id: UUID | None = None
    action: str | None = None
    connection_id: UUID | None = None
    object_id: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    async def run(self, reading: Reading) -> Json:
        """A page of audit entries."""
        connection = None if self.connection_id is None else str(self.connection_id)
        filters = (
            *(self.principal, self.action, self.object_id, self.correlation_id),
            *(self.since, self.until, self.token_id, connection),
        )
        place = Place(NumberKey, "audit", filters)
        after = place.read(self.cursor)
        rows = await reading.connection.fetch(sql("audit_page"), *filters, after and after.number, self.limit + 1)
        page, following = place.page(rows, self.limit, _key)
        return listed([_shown(row, _ENTRY) for row in page], following)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionHistory:
    """What was done to one connection, newest first. Viewers read which parts changed; their role cannot read more.

    Operators read the values before and after too, secrets as `changed`.
    """

    connection_id: UUID
    limit: int
    cursor: str | None = None

    async def run(self, reading: Reading) -> Json:
        """A page of changes. Raises CONNECTION_NOT_FOUND."""
        await require_connection(reading, self.connection_id)
        place = Place(NumberKey, "history", (self.connection_id,))
        after = place.read(self.cursor)
        whole = reading.caller.principal.sees_operator_detail
        rows = await reading.connection.fetch(
            sql("history_page" if whole else "history_parts_page"),
            *(str(self.connection_id), after and after.number, self.limit + 1),
        )
        page, following = place.page(rows, self.limit, _key)
        return listed([_shown(row, (*_WHO, *_VALUES) if whole else _WHO) for row in page], following)


def _key(row: Row) -> NumberKey:
    return NumberKey(row["id"])


def _shown(row: Row, names: tuple[str, ...]) -> Json:
    return {name: row[name] for name in names}
