"""Verifications as every endpoint shows them: status by the reader's clock, steps, failure by the reader's role."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from gateway.queries.reading import Json, Reading, Row
from gateway.read_model import sql
from gateway.read_model.verification_status import status_at


async def verification_objects(reading: Reading, rows: Sequence[Row]) -> dict[UUID, Json]:
    """Verification id → object, for rows of `verifications`."""
    ids = [row["id"] for row in rows]
    if not ids:
        return {}
    details = await _operator_details(reading, ids)
    return {row["id"]: _object(reading, row, details.get(row["id"])) for row in rows}


_PLAIN = (
    *("id", "connection_id", "revision", "why", "correlation_id"),
    *("requested_at", "requested_by", "completed_at", "expires_at"),
)


def in_order(steps: Mapping[str, Json]) -> list[Json]:
    """The steps of a row, by their numbers."""
    return [steps[number] for number in sorted(steps, key=int)]


async def _operator_details(reading: Reading, ids: list[UUID]) -> dict[UUID, str]:
    """Operators alone may read that table; a viewer's role has no right to it."""
    if not reading.caller.principal.sees_operator_detail:
        return {}
    rows = await reading.connection.fetch(sql("operator_details_of"), ids)
    return {row["verification_id"]: row["operator_detail"] for row in rows}


def _object(reading: Reading, row: Row, detail: str | None) -> Json:
    failure = row["failure"]
    if failure is not None and detail is not None:
        failure = {**failure, "operator_detail": detail}
    status = status_at(row["outcome"], row["expires_at"], reading.now)
    shown: Json = {name: row[name] for name in _PLAIN}
    return {**shown, "status": status, "steps": in_order(row["steps"]), "failure": failure}
