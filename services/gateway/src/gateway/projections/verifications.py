"""How verifications go and end. A row goes once from pending to its end; a second run of its request changes nothing.

A fact about a verification that has no row is counted and logged, and the batch goes on: the row is committed before
its request is published, so the fact belongs to another database (a restored backup, a lost one); waiting would stop
every connection for one, and Kafka keeps the fact for thirty days.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec
import structlog

from clearline.contracts import verification
from clearline.contracts.event import Event, EventType
from gateway.projections.projection import Surroundings
from gateway.projections.verification_fold import Effects, End, Found, fold
from gateway.read_model import sql
from gateway.read_model.changes import Change, tell
from gateway.read_model.pools import Connection

_log = structlog.get_logger(__name__)


class Verifications:
    name = "verifications"
    types: tuple[EventType, ...] = (verification.PROGRESSED, verification.VERIFIED, verification.FAILED)
    uses_inbox = False  # the row says what it has heard

    async def apply(self, connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
        effects = await _project(connection, events, around.validity)
        around.metrics.repeats.inc(effects.repeats)
        around.metrics.late.labels(self.name).inc(effects.late)
        for event in effects.unknown:
            around.metrics.unknown.labels(self.name).inc()
            _log.warning(
                "a fact about a verification that does not exist here",
                event_id=str(event.id),
                event_type=event.type.name,
            )


async def apply_again(connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
    """Bring what is missing of the effect of `events`."""
    effects = await _project(connection, events, around.validity)
    around.metrics.unknown.labels(Verifications.name).inc(len(effects.unknown))


async def _project(connection: Connection, events: Sequence[Event], validity: timedelta) -> Effects:
    """An end is dated when it was told, however late it is read: an old success must not become a fresh one."""
    about_revisions = [event for event in events if event.data.revision is not None]
    ids = sorted({event.data.verification_id for event in about_revisions})
    rows = {row["id"]: row for row in await connection.fetch(sql("verifications_lock"), ids)}
    effects = fold(found_in(rows.values()), about_revisions)
    await write_steps(connection, "verifications_go_on", effects)
    if effects.ends:
        ends = sorted(effects.ends.items())
        await connection.execute(sql("verifications_end"), *columns(ends), validity)
        await _write_operator_details(connection, ends, rows)
    about = {key: (rows[key]["connection_id"], rows[key]["environment"]) for key in effects.news}
    await tell(connection, [Change.of(event_type, *about[key]) for key, event_type in effects.news.items()])
    return effects


def found_in(rows: Iterable[asyncpg.Record]) -> dict[UUID, Found]:
    """What locked rows of verifications, or of tests, have heard."""
    return {row["id"]: Found(row["outcome"], row["code"], frozenset(row["told"])) for row in rows}


async def write_steps(connection: Connection, statement: str, effects: Effects) -> None:
    """Put new steps to those that go on; in order of ids, so that two writers meet the rows alike."""
    if effects.steps:
        steps = sorted(effects.steps.items())
        await connection.execute(sql(statement), [key for key, _ in steps], [heard for _, heard in steps])


def columns(ends: Sequence[tuple[UUID, End]]) -> tuple[list[object], ...]:
    """Id, outcome, failure as anyone reads it, steps, and when it was told."""
    return (
        [key for key, _ in ends],
        [end.outcome for _, end in ends],
        [None if end.failure is None else shown(end.failure) for _, end in ends],
        [end.steps for _, end in ends],
        [end.told_at for _, end in ends],
    )


async def _write_operator_details(
    connection: Connection, ends: Sequence[tuple[UUID, End]], rows: Mapping[UUID, asyncpg.Record]
) -> None:
    """The half of each failure that only operators read."""
    failures = [(key, end.failure) for key, end in ends if end.failure is not None]
    if not failures:
        return
    await connection.execute(
        sql("operator_details_write"),
        [key for key, _ in failures],
        [rows[key]["environment"] for key, _ in failures],
        [failure.operator_detail for _, failure in failures],
    )


def shown(failure: verification.Failure) -> dict[str, object]:
    """A failure as anyone may read it: without the operator's half, which lies in a table of its own."""
    told: dict[str, object] = msgspec.to_builtins(failure)
    del told["operator_detail"]
    return told
