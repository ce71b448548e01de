"""Brings the outbox to Kafka: in the order of its ids, by one relay at a time, deleting only what was acknowledged.

The lock is held by the very session that reads and deletes: a lost connection is a lost lock. Rows are published only
while the look at them is fresh, so that a relay that slept does not wake and send what another one has sent since;
what little still slips through is caught by the sequence of each connection (`projections/connection_sequences.py`).
A cursor (`id > last`) would lose events: ids become visible in the order of commits, not of ids.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.delivery import Delivery, Outgoing, RawRecord, Receipt
from clearline.contracts.topics import Topic
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import AWAY, server_settings, speak_json

LOCK = 0x6F75_7462_6F78  # "outbox"
BATCH = 500  # 36k events/s; a larger one only makes more to repeat after a kill
POLL_SECONDS = 1.0  # the floor under NOTIFY, and how soon a second relay notices that the first is gone
FRESH_SECONDS = 2.0  # far below the 10 s after which PostgreSQL gives a silent relay's lock away
_SESSION = {
    "idle_session_timeout": "10000",  # a frozen relay loses its session, and with it the lock
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",  # so does one whose machine is gone
    "enable_seqscan": "off",  # the table swings between empty and 100,000 rows: only the walk along the key is right
    "enable_sort": "off",
}
_LOST = (*AWAY, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)

_log = structlog.get_logger(__name__)


class Publisher(Protocol):
    """What the relay needs of `clearline.chassis.producer.Producer`."""

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]: ...


class LockLost(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another relay may lead by now; whatever is in hand must not be published."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the outbox."""

    id: int
    topic: str
    key: str
    outgoing: Outgoing | None
    """None where no topic of that name is known to this version."""


@dataclass(slots=True)
class Settled:
    """What becomes of the rows of one batch; the rest stays for the next."""

    delete: list[int] = field(default_factory=list)
    park: list[tuple[int, str]] = field(default_factory=list)
    kafka_is_away: str | None = None


def settle(rows: Sequence[Row], receipts: Mapping[int, Receipt]) -> Settled:
    """Decide by what Kafka said. An acknowledged row stays if an earlier one of its key does, to go again after it."""
    settled = Settled()
    staying: set[tuple[str, str]] = set()
    for row in rows:
        receipt = receipts.get(row.id) or Receipt(Delivery.REFUSED, f"no topic {row.topic!r} is known")
        match receipt.delivery:
            case Delivery.REFUSED if (row.topic, row.key) not in staying:
                settled.park.append((row.id, receipt.detail))
                staying.add((row.topic, row.key))
            case Delivery.ACKNOWLEDGED if (row.topic, row.key) not in staying:
                settled.delete.append(row.id)
            case Delivery.UNKNOWN:
                settled.kafka_is_away = receipt.detail
                staying.add((row.topic, row.key))
            case _:
                staying.add((row.topic, row.key))
    return settled


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

    async def run(self) -> None:
        """Lead or wait to lead, until `stop`. Waits for PostgreSQL and Kafka and says so once."""
        said = False
        while not self._stopping.is_set():
            try:
                async with self._session() as session:
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

    def stop(self) -> None:
        """Let `run` end after the batch in hand."""
        self._stopping.set()

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator["_Session"]:
        settings = server_settings("relay", 10_000) | _SESSION
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=15, server_settings=settings)
        session = _Session(connection)
        try:
            await speak_json(connection)
            connection.add_termination_listener(session.on_terminated)
            await connection.add_listener("clearline_outbox", session.on_notified)
            yield session
        finally:
            # Closing politely may wait for a server that is gone; the lock must go at once.
            connection.terminate()

    async def _lead(self, session: "_Session") -> None:
        while not self._stopping.is_set():
            if not await session.connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
                await self._pause(self._poll_seconds)
                continue
            self._metrics.relay_leads.set(1)
            _log.info("this relay leads")
            while not self._stopping.is_set():
                if not await self.relay_once(session):
                    await session.wait_for_news(self._poll_seconds, self._stopping)

    async def relay_once(self, session: "_Session") -> bool:
        """Publish one batch; false if there was nothing, or nothing that Kafka took."""
        session.has_news.clear()
        looked_at = self._clock.monotonic()
        rows = [self._row(row) for row in await session.connection.fetch(sql("outbox_next"), BATCH)]
        if not rows:
            return False
        if self._clock.monotonic() - looked_at > FRESH_SECONDS:
            return True  # this process slept; look again, which fails if the lock is gone
        sending = [row for row in rows if row.outgoing is not None]
        receipts = await self._publish(session, [row.outgoing for row in sending if row.outgoing is not None])
        settled = settle(rows, {row.id: receipt for row, receipt in zip(sending, receipts, strict=True)})
        await self._write(session, settled, rows)
        return bool(settled.delete or settled.park)

    async def _publish(self, session: "_Session", outgoing: list[Outgoing]) -> list[Receipt]:
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

    async def _write(self, session: "_Session", settled: Settled, rows: Sequence[Row]) -> None:
        if settled.delete:
            await session.connection.execute(sql("outbox_delete"), settled.delete)
            gone = set(settled.delete)
            for row in rows:
                if row.id in gone:
                    self._metrics.relayed.labels(row.topic).inc()
        if settled.park:
            ids, reasons = zip(*settled.park, strict=True)
            await session.connection.execute(sql("outbox_park"), ids, reasons)
            for row_id, why in settled.park:
                _log.error("Kafka refused an event for good; its key's later events wait behind it", id=row_id, why=why)
        self._tell_about_kafka(settled.kafka_is_away)

    def _tell_about_kafka(self, away: str | None) -> None:
        if away is not None and not self._kafka_was_away:
            _log.warning("Kafka is away; events wait in the outbox", error=away)
        if away is None and self._kafka_was_away:
            _log.info("Kafka is back")
        self._kafka_was_away = away is not None

    def _row(self, row: asyncpg.Record) -> Row:
        topic = self._topics.get(row["topic"])
        headers = tuple((name, value.encode()) for name, value in row["headers"])
        outgoing = Outgoing(topic, RawRecord(row["key"].encode(), row["value"], headers)) if topic else None
        return Row(row["id"], row["topic"], row["key"], outgoing)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


@dataclass(slots=True)
class _Session:
    """The connection that holds the lock, what it heard, and whether it lives."""

    connection: asyncpg.Connection
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    terminated: asyncio.Event = field(default_factory=asyncio.Event)

    def on_notified(self, *_: object) -> None:
        self.has_news.set()

    def on_terminated(self, _: object) -> None:
        self.terminated.set()
        self.has_news.set()

    async def wait_for_news(self, seconds: float, stopping: asyncio.Event) -> None:
        waits = {asyncio.ensure_future(event.wait()) for event in (self.has_news, stopping)}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
