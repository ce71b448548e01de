"""The clock's part of rotating sealing keys: asks the verifier, never more than it can take, and gives up in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import asyncpg

from clearline.catalogue import translate
from clearline.contracts.connection import Envelope
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.reseal import RESEAL_REQUESTED, ResealRequested, StoredEnvelope
from clearline.contracts.topics import VERIFICATION_REQUESTS, Topic
from gateway import outbox
from gateway.read_model import sql
from gateway.read_model.pools import Connection

Row = asyncpg.Record
MOST_UNDER_WAY = 500
"""Requests without an answer: people's verifications share the verifier's queue."""
PAGE = 100  # connections asked for in one transaction
UNANSWERED = timedelta(minutes=15)
"""After it a person is told; a late answer still counts."""


@dataclass(frozen=True, slots=True)
class RotationDuties:
    """Duties of the clock; each call is one transaction and returns how much it did."""

    requests: Topic = VERIFICATION_REQUESTS
    current_key: str | None = None
    """What this gateway seals for: tests of unsaved values name it and store nothing."""

    async def note_named_keys(self, connection: Connection, now: datetime) -> int:
        """Remember until when each key was named by something stored, or might have been by a request."""
        noted: int = await connection.fetchval(sql("sealing_keys_note"), now, self.current_key)
        return noted

    async def ask_for_reseals(self, connection: Connection, now: datetime) -> int:
        """Ask for the next connections of the rotation; the last turn ends the asking."""
        rotation = await connection.fetchrow(sql("key_rotation_lock"))
        if rotation is None:
            return 0
        room = MOST_UNDER_WAY - await connection.fetchval(sql("reseals_under_way"))
        if room <= 0:
            return 0
        key_id, rotation_id = rotation["key_id"], rotation["id"]
        rows = await connection.fetch(sql("reseals_to_ask"), key_id, rotation_id, min(PAGE, room))
        for row in rows:
            await self._ask(connection, rotation, row, now)
        if not rows and not await connection.fetchval(sql("reseals_left"), key_id, rotation_id):
            await connection.execute(sql("key_rotation_asked"), rotation_id, now)
        return len(rows)

    async def end_unanswered_reseals(self, connection: Connection, now: datetime) -> int:
        """Nobody answered: say so. Whoever rotates again asks for these connections again."""
        told = translate("RESEAL_OVERDUE", {})
        failure = {"field": None, "key_id": None, "code": told.code, "operator_detail": told.operator_summary}
        ended = await connection.execute(sql("reseals_overdue_end"), now - UNANSWERED, now, failure)
        return int(ended.rpartition(" ")[2])

    async def _ask(self, connection: Connection, rotation: Row, row: Row, now: datetime) -> None:
        """The connection's row is locked: what is asked for is what is stored now."""
        reseal_id = uuid5(rotation["id"], str(row["id"]))
        stored = await connection.fetch(sql("reseal_envelopes"), row["id"], rotation["key_id"])
        await connection.execute(sql("reseal_begin"), row["id"], row["environment"], reseal_id, rotation["id"], now)
        await outbox.append(connection, self.requests, _request(rotation, row, reseal_id, stored, now))


def _request(rotation: Row, row: Row, reseal_id: UUID, stored: Sequence[Row], now: datetime) -> Event:
    body = ResealRequested(
        reseal_id=reseal_id,
        connection_id=row["id"],
        kind=row["kind"],
        key_id=rotation["key_id"],
        envelopes=tuple(
            StoredEnvelope(
                field=each["field"],
                destination=each["destination"],
                envelope=Envelope(key_id=each["key_id"], sealed=each["sealed"], changed_at=each["changed_at"]),
            )
            for each in stored
        ),
        requested_by=rotation["requested_by"],
    )
    return Event(
        id=event_id(reseal_id, RESEAL_REQUESTED.name),
        type=RESEAL_REQUESTED,
        source="/clearline/gateway",
        subject=str(row["id"]),
        time=now,
        key=str(row["id"]),
        data=body,
        correlation_id=rotation["correlation_id"],
        causation_id=str(rotation["id"]),
    )
