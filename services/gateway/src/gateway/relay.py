"""Brings the outbox to Kafka: in the order of its ids, by one relay at a time, deleting only what was acknowledged.

The lock is held by the very session that reads and deletes: a lost connection is a lost lock. Rows are published only
while the look at them is fresh, so that a relay that slept does not wake and send what another one has sent since;
what little still slips through is caught by the sequence of each connection (`projections/connection_sequences.py`).
A cursor (`id > last`) would lose events: ids become visible in the order of commits, not of ids.
"""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from typing import Protocol

import asyncpg
import structlog

from clearline.chassis import tracing
from clearline.chassis.clock import Clock
from clearline.chassis.delivery import Outgoing, Receipt
from clearline.chassis.traced_messages import TRACEPARENT, relayed
from clearline.contracts.topics import Topic
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import AWAY
from gateway.relay_batch import Row, row_of, settle
from gateway.relay_sending import Sending, Sendings, parted
from gateway.relay_session import RelaySession, open_session
from gateway.relay_settling import Settling
from gateway.relay_stuck import StuckPlaces

BATCH = 500  # 36k events/s; a larger one only makes more to repeat after a kill
POLL_SECONDS = 1.0  # the floor under NOTIFY, and how soon a second relay notices that the first is gone
FRESH_SECONDS = 2.0  # far below the 10 s after which PostgreSQL gives a silent relay's lock away
_LOST = (*AWAY, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)

_log = structlog.get_logger(__name__)


class Publisher(Protocol):
    """What the relay needs of `clearline.chassis.producer.Producer`."""

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]: ...


class LockLost(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another relay may lead by now; whatever is in hand must not be published."""


class Relay:
    """One per gateway process; of all of them one leads."""

    def __init__(
        self,
        *,
        dsn: str,
        publisher: Publisher,
        topics: Sequence[Topic],
        metrics: GatewayMetrics,
        clock: Clock,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._dsn = dsn
        self._publisher = publisher
        self._topics = {topic.name: topic for topic in topics}
        self._metrics = metrics
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._stopping = asyncio.Event()
        self._taken_at = -math.inf
        self._stuck = StuckPlaces(clock.monotonic)
        self._sendings = Sendings(self._send, clock.monotonic)
        self._settling = Settling(self._stuck, metrics, self._topics)

    async def run(self) -> None:
        """Lead or wait to lead, until `stop`. Waits for PostgreSQL and Kafka and says so once."""
        said = False
        while not self._stopping.is_set():
            try:
                async with open_session(self._dsn) as session:
                    said = False
                    await self._lead(session)
            except Exception as error:  # noqa: BLE001 - a relay that ends would let every command wait for ever
                known = isinstance(error, (LockLost, *_LOST))
                if not known or not said:
                    _log.warning("the relay lost its session and tries again", exc_info=None if known else error,
                                 error=f"{type(error).__name__}: {error}")  # fmt: skip
                said = True
                await self._pause(self._poll_seconds)
            finally:
                self._metrics.relay_leads.set(0)
                self._settling.forget()

    def stop(self) -> None:
        """Let `run` end after the batch in hand."""
        self._stopping.set()

    async def _lead(self, session: RelaySession) -> None:
        while not self._stopping.is_set():
            if not await session.take_lock():
                await self._pause(self._poll_seconds)
                continue
            self._metrics.relay_leads.set(1)
            _log.info("this relay leads")
            try:
                while not self._stopping.is_set():
                    if not await self.relay_once(session):
                        await session.wait_for_news(self._poll_seconds, self._stopping)
            finally:
                await self._sendings.give_up()  # before the lock goes with the session

    async def relay_once(self, session: RelaySession) -> bool:
        """Send what may go and settle what has ended; false if nothing is under way or to be looked for at once."""
        session.has_news.clear()
        looked_at = self._clock.monotonic()
        left_out = self._stuck.left_out(self._sendings.places)
        found = await session.connection.fetch(sql("outbox_next"), BATCH, *left_out)
        rows = [row_of(dict(row), self._topics) for row in found]
        if not rows and not self._sendings:
            return False
        if self._clock.monotonic() - looked_at > FRESH_SECONDS:
            return True  # this process slept; look again, which fails if the lock is gone
        self._sendings.begin(parted(rows, self._stuck.places))
        ended = await self._sendings.ended(session.terminated)
        if session.terminated.is_set():
            raise LockLost("the session ended while events were being published")
        moved = bool(ended) and await self._settle(session, ended)
        return moved or bool(self._sendings)

    async def _send(self, rows: Sequence[Row]) -> list[Receipt]:
        with tracing.each("producer", map(_part, rows)):
            return await self._publisher.publish_many([row.outgoing for row in rows])

    async def _settle(self, session: RelaySession, ended: Sequence[Sending]) -> bool:
        """Write down what became of these; whether the next look finds other rows."""
        rows = [row for sending in ended for row in sending.part.rows]
        receipts = [receipt for sending in ended for receipt in sending.task.result()]
        settled = settle(rows, receipts, others_went=any(sending.began < self._taken_at for sending in ended))
        if settled.taken:
            self._taken_at = self._clock.monotonic()
        await self._settling.write(session.connection, settled)
        return settled.moved

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _part(row: Row) -> tracing.Part:
    headers = dict(row.outgoing.record.headers)
    traceparent = headers.get(TRACEPARENT, b"").decode()
    return relayed(row.outgoing.topic.name, traceparent, row.key)
