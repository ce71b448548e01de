"""A connection's row as the event that tells its whole state: for commands, and for publishing it once more."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from clearline.contracts import connection as contract
from clearline.contracts.connection import BeatPolicy, ConnectionRetired, ConnectionState, Revision
from clearline.contracts.event import EventType
from gateway.read_model import sql
from gateway.read_model.pools import Connection

State = ConnectionState | ConnectionRetired


async def load_state(connection: Connection, connection_id: UUID) -> tuple[State, int]:
    """State and sequence as this transaction sees them, its own changes included. Raises LookupError.

    Call it after the changes, on a connection whose row this transaction has locked.
    """
    row = await connection.fetchrow(sql("connection_state"), connection_id)
    if row is None:
        raise LookupError(f"no connection {connection_id}")
    return state_of(dict(row)), row["sequence"]


def state_of(row: Mapping[str, Any]) -> State:
    """The event body that a row of `connection_state.sql` stands for."""
    common = {
        "connection_id": row["id"],
        "name": row["name"],
        "environment": row["environment"],
        "kind": row["kind"],
        "changed_at": row["updated_at"],
        "changed_by": row["updated_by"],
    }
    if row["lifecycle"] == "retired":
        return ConnectionRetired(**common)
    revisions = {each.number: each for each in msgspec.convert(row["revisions"], list[Revision])}
    return ConnectionState(
        **common,
        owner=row["owner"],
        beat=msgspec.convert(row["beat"], BeatPolicy),
        lifecycle=row["lifecycle"],
        newest=revisions[row["revision"]],
        live=revisions[row["live_revision"]] if row["lifecycle"] == "active" else None,
    )


def type_of(state: State) -> EventType:
    """Which change led here is not known any more; the state itself says the same to every consumer."""
    match state:
        case ConnectionRetired():
            return contract.RETIRED
        case ConnectionState(lifecycle="active"):
            return contract.ACTIVATED
        case _:
            return contract.CONFIGURED
