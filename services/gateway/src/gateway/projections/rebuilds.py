"""What of the read models can be made again, from which topic, and how far back it reaches.

A rebuild runs beside live traffic and through the same guards, so each fact may meet it before or after the projector.
It brings what is missing and takes nothing away that its topic no longer holds. Tables that commands write are primary
data and are not rebuilt; `connections` are written to Kafka again by `gateway republish`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS, VERIFICATIONS, Topic
from gateway.projections.connection_sequences import ConnectionSequences, look
from gateway.projections.connection_tests import ConnectionTests
from gateway.projections.projection import Surroundings
from gateway.projections.reseals import Reseals
from gateway.projections.verifications import Verifications, apply_again
from gateway.read_model import sql
from gateway.read_model.pools import Connection

Again = Callable[[Connection, Sequence[Event], Surroundings], Awaitable[None]]
"""Writes what is missing of the effect of these events, in their order; repeats change nothing."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One read model."""

    source: Topic
    reach: str
    """For people: what a rebuild brings back, and what not."""
    again: Again | None
    """None: it is not rebuilt, and `reach` says why."""


async def _raise_sequences(connection: Connection, events: Sequence[Event], _: Surroundings) -> None:
    """Only raise: read from its beginning, a topic holds old states before newer ones; no relay slept for that."""
    ids = sorted({event.data.connection_id for event in events})
    highest, _stale = look(events, {})
    await connection.execute(sql("connection_sequences_raise"), ids, [highest[each] for each in ids])


REBUILDS: Mapping[str, Rebuild] = {
    ConnectionSequences.name: Rebuild(
        CONNECTIONS, "the highest sequence of every connection that the topic holds", _raise_sequences
    ),
    Verifications.name: Rebuild(
        VERIFICATIONS,
        "of the last 30 days: steps and ends of pending verifications, dated when they were told. Those that have "
        "ended stay as they are",
        apply_again,
    ),
    ConnectionTests.name: Rebuild(
        VERIFICATIONS, "steps and ends of tests that are pending; their rows live one hour", ConnectionTests().apply
    ),
    Reseals.name: Rebuild(
        VERIFICATIONS, "not rebuilt: its facts change credentials, which commands own; a rotation asks again", None
    ),
}
