"""A test of unsaved values, with its steps as they come; visible to whoever started it and to admins."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.queries.reading import Json, Reading
from gateway.queries.verification_objects import in_order
from gateway.read_model import sql

_PLAIN = (
    *("id", "connection_id", "environment", "kind", "correlation_id", "requested_at", "requested_by"),
    *("cancelled_by", "completed_at", "kept_until"),
)


@dataclass(frozen=True, slots=True)
class ConnectionTestById:
    """A test that is at most an hour old."""

    test_id: UUID

    async def run(self, reading: Reading) -> Json:
        """In the form of a verification; its success proves no revision, so it never expires. Raises TEST_NOT_FOUND."""
        row = await reading.connection.fetchrow(sql("connection_test_by_id"), self.test_id)
        if row is None:
            raise ClearlineError("TEST_NOT_FOUND")
        failure = row["failure"]
        if failure is not None:
            failure = {**failure, "operator_detail": row["operator_detail"]}
        return {name: row[name] for name in _PLAIN} | {
            "revision": None,
            "why": "unsaved",
            "status": row["outcome"],
            "expires_at": None,
            "steps": in_order(row["steps"]),
            "failure": failure,
        }
