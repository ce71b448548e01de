"""The relay on a real Kafka and Postgres: nothing lost, order per key, whoever dies, sleeps or is refused."""

import asyncio
import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
from prometheus_client import CollectorRegistry
from services.gateway.tests.bus import Seen, configured, everything_on, own, producer
from services.gateway.tests.delivery.relaying import EMPTY, drained, relaying
from services.gateway.tests.migrated import MigratedDatabase, add_connection
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.delivery import Delivery, Outgoing, Receipt
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway import outbox
from gateway.metrics import GatewayMetrics
from gateway.outbox_depth import OutboxDepth
from gateway.read_model.pools import open_pool
from gateway.relay_session import LOCK

SESSIONS = "from pg_stat_activity where application_name = 'clearline-relay' and datname = current_database()"


async def change(connection: asyncpg.Connection, topic: Topic, connection_id: UUID, delay: float) -> None:
    """A command in small: lock the row, raise its sequence, append, and take a while to commit."""
    async with connection.transaction():
        sequence = await connection.fetchval(
            "update service_connection_profiles set sequence = sequence + 1 where id = $1 returning sequence",
            connection_id,
        )
        await outbox.append(connection, topic, configured(connection_id, sequence))
        await asyncio.sleep(delay)


async def write(migrated: MigratedDatabase, topic: Topic, ids: Sequence[UUID], changes: int, seed: int) -> None:
    """Eight writers whose transactions overlap, so that ids are not committed in their order."""

    async def one(number: int) -> None:
        chance = random.Random(seed * 100 + number)  # noqa: S311 - repeatable, not secret
        async with migrated.connect() as connection:
            for _ in range(changes):
                await change(connection, topic, chance.choice(ids), chance.random() * 0.01)

    await asyncio.gather(*(one(number) for number in range(8)))


def check(seen: Sequence[Seen], expected: int, ids: Sequence[UUID]) -> None:
    """Every sequence of every key is there, and each is first seen after all lower ones."""
    first_seen: dict[str, list[int]] = defaultdict(list)
    for record in seen:
        if record.sequence not in first_seen[record.key]:
            first_seen[record.key].append(record.sequence)
    assert sum(len(each) for each in first_seen.values()) == expected
    for key in map(str, ids):
        assert first_seen[key] == list(range(2, len(first_seen[key]) + 2)), f"out of order or lost: {key}"


async def prepared(migrated: MigratedDatabase, count: int = 5) -> list[UUID]:
    async with migrated.connect() as connection:
        return [await add_connection(connection) for _ in range(count)]


async def test_eight_writers_at_once_lose_nothing_and_keep_order(kafka: str, migrated: MigratedDatabase) -> None:
    topic, ids = await own(kafka, CONNECTIONS), await prepared(migrated)
    publisher = producer(kafka)
    async with relaying(migrated, publisher, topic):
        await write(migrated, topic, ids, changes=60, seed=1)
        await drained(migrated)
    await publisher.stop()
    seen = await everything_on(kafka, topic)
    assert len(seen) == 480
    check(seen, 480, ids)


async def test_whoever_leads_may_lose_its_session_at_any_time(kafka: str, migrated: MigratedDatabase) -> None:
    topic, ids = await own(kafka, CONNECTIONS), await prepared(migrated)
    publishers = [producer(kafka), producer(kafka)]
    async with (
        relaying(migrated, publishers[0], topic),
        relaying(migrated, publishers[1], topic),
        migrated.connect() as admin,
    ):
        writing = asyncio.create_task(write(migrated, topic, ids, changes=150, seed=2))
        killed = 0
        while not writing.done():
            killed += await admin.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and granted "
                "and ((classid::bigint << 32) | objid::bigint) = $1 "
                "and database = (select oid from pg_database where datname = current_database())",
                LOCK,
            )
            await asyncio.wait({writing}, timeout=0.15)
        await writing
        await drained(migrated)
    for publisher in publishers:
        await publisher.stop()
    assert killed >= 3
    check(await everything_on(kafka, topic), 1200, ids)


async def test_an_event_that_kafka_refuses_is_parked_and_only_its_key_waits(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic = await own(kafka, CONNECTIONS)
    stuck, free = uuid4(), uuid4()
    for event in (configured(stuck, 1), configured(stuck, 2, padding=topic.max_bytes // 2), configured(stuck, 3),
                  configured(free, 1)):  # fmt: skip
        await outbox.append(owner, topic, event)
    publisher = producer(kafka)
    narrow = Topic(**{each: getattr(topic, each) for each in Topic.__slots__} | {"max_bytes": topic.max_bytes // 4})
    async with relaying(migrated, publisher, narrow):
        await until(lambda: owner.fetchval("select count(*) = 2 from outbox"), what="all but two to go")
        assert "bytes" in await owner.fetchval("select parked_why from outbox where parked_at is not null")
        await outbox.append(owner, topic, configured(stuck, 4))
        await outbox.append(owner, topic, configured(free, 2))
        await until(lambda: owner.fetchval("select count(*) = 3 from outbox"), what="the other key to go on")
        pool = await open_pool(migrated.login("clearline_relay"), name="test")
        depth = OutboxDepth(pool, GatewayMetrics(CollectorRegistry()), SystemClock(), limit=3)
        await depth.measure()
        assert depth.is_full
        await pool.close()
        # A person lets the refused one go: its successors follow in order.
        await owner.execute("delete from outbox where parked_at is not null; notify clearline_outbox")
        await drained(migrated)
    await publisher.stop()
    seen = await everything_on(kafka, topic)
    assert [record.sequence for record in seen if record.key == str(stuck)] == [1, 3, 4]
    assert [record.sequence for record in seen if record.key == str(free)] == [1, 2]


async def test_a_tombstone_reaches_kafka_as_one(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, publisher = await own(kafka, CONNECTIONS), producer(kafka)
    await outbox.append_tombstone(owner, topic, "a-key")
    async with relaying(migrated, publisher, topic):
        await drained(migrated)
    await publisher.stop()
    assert [(record.key, record.value) for record in await everything_on(kafka, topic)] == [("a-key", None)]


async def test_an_idle_relay_is_woken_and_does_not_wait_for_its_poll(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, publisher = await own(kafka, CONNECTIONS), producer(kafka)
    took = []
    async with relaying(migrated, publisher, topic, poll=5):
        await outbox.append(owner, topic, configured(uuid4(), 1))
        await drained(migrated)
        for _ in range(21):
            began = time.monotonic()
            await outbox.append(owner, topic, configured(uuid4(), 1))
            await until(lambda: owner.fetchval(EMPTY), every=0.001)
            took.append(time.monotonic() - began)
    await publisher.stop()
    assert statistics.median(took) < 0.1, "15 ms on a quiet machine; a relay that polls takes seconds"


@dataclass
class FakeKafka:
    """Says what it is told to say, and keeps what was sent."""

    says: list[Delivery] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    holds: asyncio.Event | None = None

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        if self.holds is not None:
            await self.holds.wait()
        says = self.says.pop(0) if self.says else Delivery.ACKNOWLEDGED
        if says is Delivery.ACKNOWLEDGED:
            self.sent += outgoing
        return [Receipt(says, "as told") for _ in outgoing]


async def test_while_kafka_is_away_events_wait_and_then_go(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    fake = FakeKafka([Delivery.UNKNOWN] * 3)
    await outbox.append(owner, CONNECTIONS, configured(uuid4(), 1))
    async with relaying(migrated, fake, CONNECTIONS):
        await drained(migrated)
    assert len(fake.sent) == 1
    assert fake.says == []


class Sleeper(SystemClock):
    """A machine that stops for twenty seconds between a look at the outbox and what follows; others go on meanwhile."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.meanwhile = meanwhile
        self.asked = 0

    def monotonic(self) -> float:
        self.asked += 1
        if self.asked == 2:
            others = threading.Thread(target=lambda: asyncio.run(self.meanwhile()))  # type: ignore[arg-type] # a coroutine, in truth
            others.start()
            others.join()
        return super().monotonic() + (20 if self.asked >= 2 else 0)


async def test_a_relay_that_slept_and_wakes_sends_nothing_again(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    """Its session ends while it sleeps; another relay sends what it was about to send, and what came after."""
    connection_id, fake = uuid4(), FakeKafka()
    await outbox.append(owner, CONNECTIONS, configured(connection_id, 1))

    async def meanwhile() -> None:
        async with migrated.connect() as another:
            await another.execute("select pg_terminate_backend(pid) " + SESSIONS)
            await outbox.append(another, CONNECTIONS, configured(connection_id, 2))
            async with relaying(migrated, fake, CONNECTIONS):
                await drained(migrated)

    async with relaying(migrated, fake, CONNECTIONS, clock=Sleeper(meanwhile)):
        await until(lambda: len(fake.sent) >= 2)
        await outbox.append(owner, CONNECTIONS, configured(connection_id, 3))
        await drained(migrated)
    assert [dict(out.record.headers)["ce_sequence"] for out in fake.sent] == [b"1", b"2", b"3"]


async def test_a_batch_in_hand_is_given_up_when_the_session_ends(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    gate = asyncio.Event()
    hung = FakeKafka(holds=gate)
    await outbox.append(owner, CONNECTIONS, configured(uuid4(), 1))
    async with relaying(migrated, hung, CONNECTIONS):
        await until(lambda: owner.fetchval(f"select exists (select {SESSIONS} and query like '%outbox o%')"))
        await owner.execute("select pg_terminate_backend(pid) " + SESSIONS)
        hung.holds = None
        await drained(migrated)
        gate.set()
        assert len(hung.sent) == 1, "the first try was cancelled with its session, the second one sent it"
