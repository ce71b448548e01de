"""The verifications of one connection, and one of them with its steps as they come."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.queries.page import Place, TimeKey, listed
from gateway.queries.reading import Json, Reading
from gateway.queries.verification_objects import verification_objects
from gateway.queries.visible import require_connection
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class VerificationById:
    """A verification of this connection; one of another connection is not found."""

    connection_id: UUID
    verification_id: UUID

    async def run(self, reading: Reading) -> Json:
        """The verification. Raises CONNECTION_NOT_FOUND or VERIFICATION_NOT_FOUND."""
        await require_connection(reading, self.connection_id)
        rows = await reading.connection.fetch(sql("verification_by_id"), self.connection_id, self.verification_id)
        if not rows:
            raise ClearlineError("VERIFICATION_NOT_FOUND")
        return (await verification_objects(reading, rows))[self.verification_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVerifications:
    """Every verification of a connection, newest first."""

    connection_id: UUID
    limit: int
    cursor: str | None = None

    async def run(self, reading: Reading) -> Json:
        """A page of verifications. Raises CONNECTION_NOT_FOUND."""
        await require_connection(reading, self.connection_id)
        place = Place(TimeKey, "verifications", (self.connection_id,))
        after = place.read(self.cursor)
        rows = await reading.connection.fetch(
            sql("verifications_page"), self.connection_id, after and after.at, after and after.id, self.limit + 1
        )
        page, following = place.page(rows, self.limit, lambda row: TimeKey(row["requested_at"], row["id"]))
        shown = await verification_objects(reading, page)
        return listed([shown[row["id"]] for row in page], following)
