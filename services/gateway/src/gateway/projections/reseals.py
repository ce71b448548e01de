"""Puts renewed envelopes in the place of old ones, and tells the connection's new state to the bus.

Each is set only where the envelope is still the one that was opened: an edit in between wins, and a copy that an edit
took along is renewed with it. The connection's row is locked first, as by a command.
"""

from collections.abc import Sequence

import asyncpg
import structlog

from clearline.contracts import connection as contract
from clearline.contracts.event import Event, EventType
from clearline.contracts.ids import event_id
from clearline.contracts.reseal import RESEALED, Resealed
from gateway import outbox
from gateway.projections.projection import Surroundings
from gateway.read_model import sql
from gateway.read_model.changes import Change, tell
from gateway.read_model.connection_state import load_state
from gateway.read_model.pools import Connection

_log = structlog.get_logger(__name__)


class Reseals:
    name = "reseals"
    types: tuple[EventType, ...] = (RESEALED,)
    uses_inbox = True

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        rows = await connection.fetch(sql("reseals_asked"), [event.data.reseal_id for event in events])
        asked = {row["reseal_id"]: row for row in rows}
        for event in sorted(events, key=lambda each: each.data.connection_id):
            row = asked.get(event.data.reseal_id)
            if row is None or not _answers(event.data, row):
                around.metrics.unknown.labels(self.name).inc()
                _log.warning("an answer to no reseal request of ours", event_id=str(event.id))
                continue
            await connection.execute("select lock_connection($1)", event.data.connection_id)
            if fields := await _renew(connection, event.data):
                await _tell(connection, event, row, fields, around)
            await _end(connection, event.data)


def _answers(answer: Resealed, asked: asyncpg.Record) -> bool:
    """An answer about another connection, or for another key, is none."""
    keys = {asked["key_id"], answer.key_id, *(each.envelope.key_id for each in answer.renewed)}
    return answer.connection_id == asked["connection_id"] and len(keys) == 1


async def _renew(connection: Connection, answer: Resealed) -> list[str]:
    """The fields whose envelope was replaced in at least one revision."""
    if not answer.renewed:
        return []
    rows = await connection.fetch(
        sql("credentials_reseal"),
        answer.connection_id,
        [each.field for each in answer.renewed],
        [each.replaces for each in answer.renewed],
        [each.envelope.key_id for each in answer.renewed],
        [each.envelope.sealed for each in answer.renewed],
    )
    return sorted({row["field"] for row in rows})


async def _tell(
    connection: Connection, event: Event, asked: asyncpg.Record, fields: list[str], around: Surroundings
) -> None:
    """The whole state with its new envelopes to the bus, a line in the audit, a notice to live pages."""
    connection_id = event.data.connection_id
    await connection.execute(sql("profile_sequence_raise"), connection_id)
    state, sequence = await load_state(connection, connection_id)
    told = Event(
        id=event_id(event.id, contract.CONFIGURED.name),
        type=contract.CONFIGURED,
        source="/clearline/gateway",
        subject=str(connection_id),
        time=around.clock.now(),
        key=str(connection_id),
        data=state,
        correlation_id=event.correlation_id,
        causation_id=str(event.id),
        sequence=sequence,
    )
    await outbox.append(connection, around.connections, told)
    await tell(connection, [Change.of(RESEALED, connection_id, asked["environment"], sequence)])
    await connection.execute(
        sql("audit_insert"),
        *(asked["requested_by"], "connection.resealed", "connection", str(connection_id), asked["environment"]),
        *(event.correlation_id, None, {"key_id": event.data.key_id, "fields": fields}),
    )


async def _end(connection: Connection, answer: Resealed) -> None:
    first = answer.failed[0] if answer.failed else None
    failure = first and {
        "field": first.field,
        "key_id": first.key_id,
        "code": first.code,
        "operator_detail": first.operator_detail,
    }
    await connection.execute(sql("reseal_end"), answer.reseal_id, "failed" if failure else "resealed", failure)
