"""How tests of unsaved values go and end. A fact without a revision is about one; their rows live one hour.

So a fact whose row is gone is nothing strange: it came late, or a rebuild reads again what nobody keeps.
"""

from collections.abc import Sequence

from clearline.contracts import verification
from clearline.contracts.event import Event, EventType
from gateway.projections.projection import Surroundings
from gateway.projections.verification_fold import fold
from gateway.projections.verifications import columns, found_in, write_steps
from gateway.read_model import sql
from gateway.read_model.pools import Connection


class ConnectionTests:
    name = "connection_tests"
    types: tuple[EventType, ...] = (verification.PROGRESSED, verification.VERIFIED, verification.FAILED)
    uses_inbox = False  # the row says what it has heard

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        about_tests = [event for event in events if event.data.revision is None]
        if not about_tests:
            return
        ids = sorted({event.data.verification_id for event in about_tests})
        rows = await connection.fetch(sql("connection_tests_lock"), ids)
        effects = fold(found_in(rows), about_tests)
        await write_steps(connection, "connection_tests_go_on", effects)
        if effects.ends:
            ends = sorted(effects.ends.items())
            details = [None if end.failure is None else end.failure.operator_detail for _, end in ends]
            await connection.execute(sql("connection_tests_end"), *columns(ends), details)
        around.metrics.repeats.inc(effects.repeats)
        around.metrics.late.labels(self.name).inc(effects.late + len(effects.unknown))
