"""How verifications go and end. A row goes once from pending to its end; a second run of its request changes nothing.

A fact about a verification that has no row is counted and logged, and the batch goes on: the row is committed before
its request is published, so the fact belongs to another database (a restored backup, a lost one); waiting would stop
every connection for one, and Kafka keeps the fact for thirty days.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
import structlog

from clearline.contracts import verification
from clearline.contracts.event import Event, EventType
from gateway.projections.projection import Surroundings
from gateway.projections.verification_fold import Effects, Found, fold, in_order
from gateway.read_model import sql
from gateway.read_model.changes import tell
from gateway.read_model.pools import Connection

_log = structlog.get_logger(__name__)


class Verifications:
    name = "verifications"
    types: tuple[EventType, ...] = (verification.PROGRESSED, verification.VERIFIED, verification.FAILED)
    uses_inbox = True

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        about_revisions = [event for event in events if event.data.revision is not None]
        ids = sorted({event.data.verification_id for event in about_revisions})
        rows = await connection.fetch(sql("verifications_lock"), ids)
        found = {
            row["id"]: Found(row["connection_id"], row["environment"], row["outcome"] == "pending") for row in rows
        }
        effects = fold(found, about_revisions)
        await write_steps(connection, effects, found)
        await _write_ends(connection, effects, found, around)
        await tell(connection, effects.changes)
        around.metrics.late.labels(self.name).inc(effects.late)
        for event in effects.unknown:
            around.metrics.unknown.labels(self.name).inc()
            _log.warning(
                "a fact about a verification that does not exist here",
                event_id=str(event.id),
                event_type=event.type.name,
            )


async def write_steps(connection: Connection, effects: Effects, found: Mapping[UUID, Found]) -> None:
    """The steps told, and of an end those that it tells anew."""
    if effects.ends:
        await connection.execute(sql("verification_steps_clear"), sorted(effects.ends))
    if not effects.steps:
        return
    steps = in_order(effects.steps)
    await connection.execute(
        sql("verification_steps_write"),
        [verification_id for verification_id, _, _ in steps],
        [found[verification_id].environment for verification_id, _, _ in steps],
        [number for _, number, _ in steps],
        [step.name for _, _, step in steps],
        [step.status for _, _, step in steps],
        [step.duration_ms for _, _, step in steps],
        [step.evidence for _, _, step in steps],
        [step.skipped_because for _, _, step in steps],
    )


async def _write_ends(
    connection: Connection, effects: Effects, found: Mapping[UUID, Found], around: Surroundings
) -> None:
    if not effects.ends:
        return
    ends = sorted(effects.ends.items())
    await connection.execute(
        sql("verifications_end"),
        [verification_id for verification_id, _ in ends],
        [end.outcome for _, end in ends],
        [None if end.failure is None else shown(end.failure) for _, end in ends],
        around.validity,
    )
    await write_operator_details(connection, effects, found)


async def write_operator_details(connection: Connection, effects: Effects, found: Mapping[UUID, Found]) -> None:
    """The half of each failure that only operators read."""
    ends = sorted(effects.ends.items())
    failures = [(verification_id, end.failure) for verification_id, end in ends if end.failure is not None]
    if not failures:
        return
    await connection.execute(
        sql("operator_details_write"),
        [verification_id for verification_id, _ in failures],
        [found[verification_id].environment for verification_id, _ in failures],
        [failure.operator_detail for _, failure in failures],
    )


def shown(failure: verification.Failure) -> dict[str, object]:
    """A failure as anyone may read it: without the operator's half, which lies in a table of its own."""
    told: dict[str, object] = msgspec.to_builtins(failure)
    del told["operator_detail"]
    return told
