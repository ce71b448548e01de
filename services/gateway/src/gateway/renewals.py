"""Renews what proves active connections, before it expires: a duty of the clock.

Only live revisions are renewed (docs/decisions): nobody relies on the others, and each renewal signs in somewhere.
`renew_at` says when a connection is looked at again, so that a turn reads what is due and no more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.topics import VERIFICATION_REQUESTS, Topic
from clearline.contracts.verification import REQUESTED
from gateway import outbox
from gateway.commands.rows import contents_of
from gateway.commands.verification_request import request_of
from gateway.queries.reading import Row
from gateway.read_model import sql
from gateway.read_model.changes import Change, tell
from gateway.read_model.pools import Connection
from gateway.renewal_policy import Standing, look_again, renewal_due

BY = "clock"
"""How events and rows name who asked."""
MOST = 25
"""Connections in one transaction; their rows are locked until its end."""
TURNS = 8
"""In a row: at most 200 connections every turn of a gateway, so that after a long standstill no flood comes."""
MOST_UNDER_WAY = 500
"""Renewals without an answer: people's verifications share the verifier's queue, and each has five minutes."""
BACKLOG = 1_000
"""Events waiting for Kafka; while there are more, a renewal would only be answered too late."""


@dataclass(frozen=True, slots=True)
class Renewals:
    """The duty with what it is given."""

    new_id: Callable[[], UUID] = uuid4
    requests: Topic = VERIFICATION_REQUESTS

    async def renew(self, connection: Connection, now: datetime) -> int:
        """Look at the connections that are due for a look; returns how many those were."""
        if await connection.fetchval(sql("outbox_is_behind"), BACKLOG):
            return 0
        room = MOST_UNDER_WAY - await connection.fetchval(sql("renewals_under_way"))
        if room <= 0:
            return 0
        rows = await connection.fetch(sql("renewals_to_look_at"), now, min(MOST, room))
        if not rows:
            return 0
        ids, revisions = [row["id"] for row in rows], [row["live_revision"] for row in rows]
        found = {row["connection_id"]: row for row in await connection.fetch(sql("renewal_standings"), ids, revisions)}
        looks = [await self._look(connection, row, found[row["id"]], now) for row in rows]
        await connection.execute(sql("renewals_look_again"), ids, looks)
        return len(rows)

    async def _look(self, connection: Connection, row: Row, found: Row, now: datetime) -> datetime:
        """Renew one if it is due; returns when to look at it again."""
        standing = _standing(found)
        due = renewal_due(row["id"], standing)
        if due > now:
            return due
        await self._ask(connection, row, now)
        return look_again(standing, now)

    async def _ask(self, connection: Connection, row: Row, now: datetime) -> None:
        """Queue a renewal; one that is pending already, whoever asked for it, is as good."""
        verification_id = self.new_id()
        correlation_id = f"renewal-{verification_id}"
        contents = await contents_of(connection, row["id"], row["live_revision"])
        assert contents is not None, "a live revision has contents"
        request = request_of(
            contents,
            verification_id=verification_id,
            connection_id=row["id"],
            revision=row["live_revision"],
            environment=row["environment"],
            kind=row["kind"],
            why="renewal",
            by=BY,
            now=now,
        )
        queued = await connection.fetchval(
            sql("renewal_insert"),
            *(verification_id, row["id"], row["live_revision"], correlation_id, now, BY, request.deadline),
        )
        if not queued:
            return
        event = Event(
            id=event_id(verification_id, REQUESTED.name),
            type=REQUESTED,
            source="/clearline/gateway",
            subject=str(row["id"]),
            time=now,
            key=str(row["id"]),
            data=request,
            correlation_id=correlation_id,
        )
        await outbox.append(connection, self.requests, event)
        await tell(connection, [Change.of(REQUESTED, row["id"], row["environment"])])


def _standing(row: Row) -> Standing:
    return Standing(
        proven_at=row["proven_at"],
        expires_at=row["expires_at"],
        failures=row["failures"],
        failed_at=row["failed_at"],
        retry_class=row["retry_class"],
    )
