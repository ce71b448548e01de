"""Sees to it that the last record of each connection on the compacted topic is its newest state.

A relay that slept may have sent an old state after a newer one. Consumers ignore it by its sequence; but compaction
keeps the last record, whatever it says. So the state as it is now is published once more, through the outbox. Of a
connection that is gone every state is an old one: its tombstone goes out again.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

import structlog

from clearline.contracts import connection as contract
from clearline.contracts.event import Event, EventType
from clearline.contracts.ids import event_id
from gateway import outbox
from gateway.projections.projection import Surroundings
from gateway.read_model import sql
from gateway.read_model.connection_state import State, load_state, type_of
from gateway.read_model.pools import Connection

_log = structlog.get_logger(__name__)


class ConnectionSequences:
    name = "connection_sequences"
    types: tuple[EventType, ...] = (contract.CONFIGURED, contract.ACTIVATED, contract.DEACTIVATED, contract.RETIRED)
    uses_inbox = False  # a repeat of an old state is what this looks for

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        ids = sorted({event.data.connection_id for event in events})
        rows = await connection.fetch(sql("connection_sequences_lock"), ids)
        gone = {row["id"] for row in await connection.fetch(sql("connections_gone"), ids)}
        highest, stale = look(events, {row["connection_id"]: row["sequence"] for row in rows}, gone)
        await connection.execute(sql("connection_sequences_raise"), ids, [highest[each] for each in ids])
        for event in stale:
            await _publish_again(connection, event, around)


def look(
    events: Sequence[Event], seen: Mapping[UUID, int], gone: AbstractSet[UUID] = frozenset()
) -> tuple[dict[UUID, int], list[Event]]:
    """The highest sequence of each connection; the last events of those where a higher one, or the end, was first."""
    highest = dict(seen)
    last: dict[UUID, Event] = {}
    for event in events:
        connection_id = event.data.connection_id
        highest[connection_id] = max(highest.get(connection_id, 0), event.sequence or 0)
        last[connection_id] = event
    stale = [
        event
        for connection_id, event in sorted(last.items())
        if connection_id in gone or (event.sequence or 0) < highest[connection_id]
    ]
    return highest, stale


async def _publish_again(connection: Connection, stale: Event, around: Surroundings) -> None:
    connection_id = stale.data.connection_id
    await connection.execute("select lock_connection($1)", connection_id)  # as a command does: nothing overtakes this
    try:
        state, sequence = await load_state(connection, connection_id)
    except LookupError:
        around.metrics.unknown.labels(ConnectionSequences.name).inc()
        _log.warning("an old state of a connection that does not exist here", connection_id=str(connection_id))
        return
    gone = await connection.fetchval(sql("connection_is_gone"), connection_id)
    if not gone and sequence <= (stale.sequence or 0):
        return  # this database is the older one (a restored backup): publishing it again would go on for ever
    if gone:
        await outbox.append_tombstone(connection, around.connections, stale.key)
    else:
        await outbox.append(connection, around.connections, _again(stale, state, sequence, around))
    around.metrics.republished.inc()
    _log.warning("an old state came after a newer one; the newest goes out again", connection_id=str(connection_id))


def _again(stale: Event, state: State, sequence: int, around: Surroundings) -> Event:
    event_type = type_of(state)
    return Event(
        id=event_id(stale.id, event_type.name, sequence),
        type=event_type,
        source="/clearline/gateway",
        subject=stale.subject,
        time=around.clock.now(),
        key=stale.key,
        data=state,
        correlation_id=stale.correlation_id,
        causation_id=str(stale.id),
        sequence=sequence,
    )
