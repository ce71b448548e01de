"""How tests of unsaved values go and end. A fact without a revision is about one; their rows live one hour.

So a fact whose row is gone is nothing strange: it came late, or a rebuild reads again what nobody keeps.
"""

from collections.abc import Sequence

from clearline.contracts import verification
from clearline.contracts.event import Event, EventType
from gateway.projections.projection import Surroundings
from gateway.projections.verification_fold import Effects, Found, fold, in_order
from gateway.projections.verifications import shown
from gateway.read_model import sql
from gateway.read_model.pools import Connection


class ConnectionTests:
    name = "connection_tests"
    types: tuple[EventType, ...] = (verification.PROGRESSED, verification.VERIFIED, verification.FAILED)
    uses_inbox = True

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        about_tests = [event for event in events if event.data.revision is None]
        if not about_tests:
            return
        ids = sorted({event.data.verification_id for event in about_tests})
        rows = await connection.fetch(sql("connection_tests_lock"), ids)
        found = {row["id"]: Found(row["id"], "", row["outcome"] == "pending") for row in rows}
        effects = fold(found, about_tests)
        await _write_steps(connection, effects)
        await _write_ends(connection, effects)
        around.metrics.late.labels(self.name).inc(effects.late + len(effects.unknown))


async def _write_steps(connection: Connection, effects: Effects) -> None:
    if effects.ends:
        await connection.execute(sql("connection_test_steps_clear"), sorted(effects.ends))
    if not effects.steps:
        return
    steps = in_order(effects.steps)
    await connection.execute(
        sql("connection_test_steps_write"),
        [test_id for test_id, _, _ in steps],
        [number for _, number, _ in steps],
        [step.name for _, _, step in steps],
        [step.status for _, _, step in steps],
        [step.duration_ms for _, _, step in steps],
        [step.evidence for _, _, step in steps],
        [step.skipped_because for _, _, step in steps],
    )


async def _write_ends(connection: Connection, effects: Effects) -> None:
    if not effects.ends:
        return
    ends = sorted(effects.ends.items())
    await connection.execute(
        sql("connection_tests_end"),
        [test_id for test_id, _ in ends],
        [end.outcome for _, end in ends],
        [None if end.failure is None else shown(end.failure) for _, end in ends],
        [None if end.failure is None else end.failure.operator_detail for _, end in ends],
    )
