"""Brings the outbox to Kafka: in the order of its ids, by one relay at a time, deleting only what was acknowledged.

The lock is held by the very session that reads and deletes: a lost connection is a lost lock. Rows are published only
while the look at them is fresh, so that a relay that slept does not wake and send what another one has sent since;
what little still slips through is caught by the sequence of each connection (`projections/connection_sequences.py`).
A cursor (`id > last`) would lose events: ids become visible in the order of commits, not of ids.
"""

import asyncio
import contextlib
from collections import Counter
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
from gateway.relay_batch import Row, Settled, row_of, settle
from gateway.relay_session import RelaySession, open_session
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
        self._kafka_was_away = False
        self._stuck = StuckPlaces(clock.monotonic)

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
                self._stuck.forget()
                self._metrics.relay_stuck.clear()

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
            while not self._stopping.is_set():
                if not await self.relay_once(session):
                    await session.wait_for_news(self._poll_seconds, self._stopping)

    async def relay_once(self, session: RelaySession) -> bool:
        """Publish one batch; false if there was nothing, or nothing that Kafka took."""
        session.has_news.clear()
        looked_at = self._clock.monotonic()
        found = await session.connection.fetch(sql("outbox_next"), BATCH, *self._stuck.left_out())
        rows = [row_of(dict(row), self._topics) for row in found]
        if not rows:
            return False
        if self._clock.monotonic() - looked_at > FRESH_SECONDS:
            return True  # this process slept; look again, which fails if the lock is gone
        with tracing.each("producer", map(_part, rows)):
            receipts = await self._publish(session, [row.outgoing for row in rows])
        settled = settle(rows, receipts)
        await self._write(session, settled)
        return settled.moved

    async def _publish(self, session: RelaySession, outgoing: list[Outgoing]) -> list[Receipt]:
        """Publish while the session lives; Kafka may take its time, so the session is kept awake."""
        publishing = asyncio.ensure_future(self._publisher.publish_many(outgoing))
        lost = asyncio.ensure_future(session.terminated.wait())
        try:
            while not publishing.done():
                await asyncio.wait({publishing, lost}, timeout=FRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    raise LockLost("the session ended while a batch was being published")
                if not publishing.done():
                    await session.connection.fetchval("select 1")
            return publishing.result()
        finally:
            for task in (publishing, lost):
                task.cancel()
            await asyncio.gather(publishing, lost, return_exceptions=True)

    async def _write(self, session: RelaySession, settled: Settled) -> None:
        if settled.park:
            ids, reasons = zip(*settled.park, strict=True)
            await session.connection.execute(sql("outbox_park"), ids, reasons)
            for row_id, why in settled.park:
                _log.error("Kafka refused an event for good; its key's later events wait behind it", id=row_id, why=why)
        if settled.delete:
            await session.connection.execute(sql("outbox_delete"), [row.id for row in settled.delete])
            for topic, count in Counter(row.outgoing.topic.name for row in settled.delete).items():
                self._metrics.relayed.labels(self._label(topic)).inc(count)
        before = self._stuck.topics
        self._tell_about_kafka(settled)
        self._tell_about_topics(settled, before)

    def _tell_about_kafka(self, settled: Settled) -> None:
        if settled.kafka_is_away is not None and not self._kafka_was_away:
            _log.warning("Kafka is away; events wait in the outbox", error=settled.kafka_is_away)
            self._kafka_was_away = True
        elif settled.taken and self._kafka_was_away:
            _log.info("Kafka is back")
            self._kafka_was_away = False
            self._stuck.forget()

    def _tell_about_topics(self, settled: Settled, before: set[str]) -> None:
        self._stuck.note(settled.stuck, settled.taken)
        why = {topic: reason for (topic, _), reason in settled.stuck.items()}
        for topic in sorted(self._stuck.topics - before):
            _log.warning("Kafka takes not every event of a topic; those wait, others go", topic=topic, error=why[topic])
        for topic in sorted(before - self._stuck.topics):
            _log.info("Kafka takes every event of a topic again", topic=topic)
        for topic in self._stuck.topics ^ before:
            self._metrics.relay_stuck.labels(self._label(topic)).set(topic in self._stuck.topics)

    def _label(self, topic: str) -> str:
        """A row may name a topic that only a newer version knows; labels stay bounded."""
        return topic if topic in self._topics else "unknown"

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _part(row: Row) -> tracing.Part:
    headers = dict(row.outgoing.record.headers)
    traceparent = headers.get(TRACEPARENT, b"").decode()
    return relayed(row.outgoing.topic.name, traceparent, row.key)
