"""Facts about verifications, read once more: they end what is pending and bring back missing steps, and no more.

An end that comes back late is dated when it was told, not now: an old success must not become a fresh one.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from clearline.contracts.event import Event
from clearline.contracts.verification import Step, VerificationFailed, Verified
from gateway.projections.projection import Surroundings
from gateway.projections.verification_fold import Found, fold, in_order
from gateway.projections.verifications import Verifications, write_operator_details, write_steps
from gateway.projections.verifications import shown as as_anyone_reads
from gateway.read_model import sql
from gateway.read_model.changes import tell
from gateway.read_model.pools import Connection


async def apply_again(connection: Connection, events: Sequence[Event], around: Surroundings) -> None:
    """Bring what is missing of the effect of `events`."""
    about_revisions = [event for event in events if event.data.revision is not None]
    ids = sorted({event.data.verification_id for event in about_revisions})
    rows = {row["id"]: row for row in await connection.fetch(sql("verifications_lock_again"), ids)}
    await _bring_ends(connection, about_revisions, rows, around)
    ended = {key: (row["outcome"], row["code"]) for key, row in rows.items()}
    await _bring_steps(connection, missing_steps(about_revisions, ended), rows)
    around.metrics.unknown.labels(Verifications.name).inc(len(ids) - len(rows))


End = tuple[str, str | None]
"""Outcome and, of a failure, its code."""


def missing_steps(events: Sequence[Event], ended: Mapping[UUID, End]) -> dict[UUID, dict[int, Step]]:
    """The steps that belong to the ends which stand: told by the first fact that ends a verification the same way."""
    steps: dict[UUID, dict[int, Step]] = {}
    for event in events:
        key: UUID = event.data.verification_id
        match event.data:
            case Verified(steps=told):
                end: End = ("verified", None)
            case VerificationFailed(steps=told, outcome=outcome, failure=failure):
                end = (outcome, failure.code)
            case _:
                continue
        if key not in steps and ended.get(key) == end:
            steps[key] = dict(enumerate(told))
    return steps


async def _bring_ends(
    connection: Connection, events: Sequence[Event], rows: Mapping[UUID, asyncpg.Record], around: Surroundings
) -> None:
    found = {
        key: Found(row["connection_id"], row["environment"], pending=True)
        for key, row in rows.items()
        if row["outcome"] == "pending"
    }
    pending = [event for event in events if event.data.verification_id in found]
    effects = fold(found, pending)
    told_at = {event.data.verification_id: event.time for event in reversed(pending)
               if isinstance(event.data, (Verified, VerificationFailed))}  # fmt: skip
    await write_steps(connection, effects, found)
    if effects.ends:
        ends = sorted(effects.ends.items())
        await connection.execute(
            sql("verifications_end_again"),
            [key for key, _ in ends],
            [end.outcome for _, end in ends],
            [None if end.failure is None else as_anyone_reads(end.failure) for _, end in ends],
            [told_at[key] for key, _ in ends],
            around.validity,
        )
        await write_operator_details(connection, effects, found)
    await tell(connection, effects.changes)


async def _bring_steps(
    connection: Connection, missing: Mapping[UUID, Mapping[int, Step]], rows: Mapping[UUID, asyncpg.Record]
) -> None:
    if not missing:
        return
    steps = in_order(missing)
    await connection.execute(
        sql("verification_steps_fill"),
        [key for key, _, _ in steps],
        [rows[key]["environment"] for key, _, _ in steps],
        [number for _, number, _ in steps],
        [step.name for _, _, step in steps],
        [step.status for _, _, step in steps],
        [step.duration_ms for _, _, step in steps],
        [step.evidence for _, _, step in steps],
        [step.skipped_because for _, _, step in steps],
    )
