"""P9: how long a command's effect takes to be seen, at a steady rate that does not wait for answers.

A command here is what every command of the gateway ends as: a locked row, its next sequence, an event in the outbox,
and the relay woken after it.
Its effect is what the projector makes of the event. Relay and projector are the real processes.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer
from bench.measuring import PAIRS, Figure, Pair, percentile
from bench.servers import Servers
from bench.topics import producing
from services.gateway.tests.migrated import add_connection
from tests.faults.installation import installed
from tests.harness.kafka import create_topic
from tests.harness.places import unique

from clearline.chassis.cloudevents import to_record
from clearline.contracts.connection import CONFIGURED, BeatPolicy, ConnectionState, Revision
from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS
from gateway import outbox
from gateway.read_model.pools import open_pool, speak_json
from gateway.wakes import AFTER_COMMIT, Wakes

RATE = 500
SECONDS = 10
KEYS = 500
_LOOK_EVERY = 0.002
_LOCK = "update service_connection_profiles set sequence = sequence + 1 where id = $1 returning sequence"
_SEEN = (
    "select w.connection_id, w.sequence from unnest($1::uuid[], $2::bigint[]) as w (connection_id, sequence)"
    " join connection_sequences s on s.connection_id = w.connection_id and s.sequence >= w.sequence"
)


async def visible(servers: Servers, scale: float) -> list[Figure]:
    """The 99th percentile of ours against the sum of a bare commit's and a bare produce-and-consume's."""
    amount = round(RATE * SECONDS * scale)
    with tempfile.TemporaryDirectory(prefix="clearline-bench-") as folder:
        async with installed(Path(folder), servers.kafka, servers.postgres) as there:
            pool = await open_pool(there.dsn, name="bench", max_size=8, settings=AFTER_COMMIT)
            notices = await open_pool(there.dsn, name="bench-wakes", max_size=1)
            wakes = Wakes(notices)
            waking = asyncio.create_task(wakes.run())
            owner = await asyncpg.connect(there.dsn)
            await speak_json(owner)
            ids = [await add_connection(owner) for _ in range(KEYS)]
            place = _Place(servers, pool, owner, ids, wakes)
            await place.commands(amount // 4)  # warms up what will be measured
            pairs = tuple([await place.pair(amount) for _ in range(PAIRS)])
            waking.cancel()
            await asyncio.wait({waking})
            for each in (pool, notices):
                await each.close()
            await owner.close()
    return [
        Figure(number="P9", what=f"command → effect visible, {RATE}/s, 99th percentile",
               floor="bare commit plus bare produce → consume, 99th percentiles", sense="at most", goal=1.5,
               pairs=pairs, unit="s"),
    ]  # fmt: skip


@dataclass(slots=True)
class _Place:
    """One installation, and the connections that commands are about."""

    servers: Servers
    pool: asyncpg.Pool
    looker: asyncpg.Connection
    """Of its own: in the pool it would queue behind the commands that it looks for."""
    ids: list[UUID]
    wakes: Wakes
    began: dict[tuple[UUID, int], float] = field(default_factory=dict)

    async def pair(self, amount: int) -> Pair:
        """Both within the same minute."""
        ours = percentile(await self.commands(amount), 0.99)
        commits = percentile(await self.commits(amount), 0.99)
        carried = percentile(await self.carried(amount), 0.99)
        return Pair(ours, commits + carried)

    async def commands(self, amount: int) -> list[float]:
        """Seconds from each command's begin to the moment when its effect is seen."""
        took: list[float] = []
        looking = asyncio.create_task(self._look(amount, took))
        await _steadily(amount, self._command)
        await asyncio.wait_for(looking, 60)
        return took

    async def _command(self, number: int) -> None:
        connection_id, began = self.ids[number % KEYS], time.perf_counter()
        async with self.pool.acquire() as connection, connection.transaction():
            sequence = await connection.fetchval(_LOCK, connection_id)
            await outbox.append(connection, CONNECTIONS, configured(connection_id, sequence))
        self.wakes.tell()
        self.began[connection_id, sequence] = began

    async def _look(self, amount: int, took: list[float]) -> None:
        while len(took) < amount:
            await asyncio.sleep(_LOOK_EVERY)
            if not self.began:
                continue
            ids, sequences = zip(*self.began, strict=True)
            rows = await self.looker.fetch(_SEEN, ids, sequences)
            now = time.perf_counter()
            took.extend(now - self.began.pop((row["connection_id"], row["sequence"])) for row in rows)

    async def commits(self, amount: int) -> list[float]:
        """Seconds of the same transaction without its event."""
        took: list[float] = []

        async def commit(number: int) -> None:
            connection_id, began = self.ids[number % KEYS], time.perf_counter()
            async with self.pool.acquire() as connection, connection.transaction():
                await connection.fetchval(_LOCK, connection_id)
            took.append(time.perf_counter() - began)

        await _steadily(amount, commit)
        return took

    async def carried(self, amount: int) -> list[float]:
        """Seconds from a bare producer to a bare consumer."""
        topic = await create_topic(self.servers.bootstrap, unique("bench"), partitions=CONNECTIONS.partitions)
        took: list[float] = []
        async with (
            producing(self.servers.bootstrap) as producer,
            AIOKafkaConsumer(topic, bootstrap_servers=self.servers.bootstrap) as consumer,
        ):

            async def consume() -> None:
                while len(took) < amount:
                    for records in (await consumer.getmany(timeout_ms=1000)).values():
                        took.extend(time.perf_counter() - float(record.headers[-1][1]) for record in records)

            async def produce(number: int) -> None:
                record = to_record(configured(self.ids[number % KEYS], number))
                stamp = ("began", repr(time.perf_counter()).encode())
                await producer.send_and_wait(topic, record.value, record.key, headers=[*record.headers, stamp])

            await consumer.seek_to_end()
            consuming = asyncio.create_task(consume())
            await _steadily(amount, produce)
            await asyncio.wait_for(consuming, 60)
        return took


async def _steadily(amount: int, do: Callable[[int], Awaitable[None]]) -> None:
    """Begin `amount` of them at the rate, however long each takes."""
    begun, tasks = time.perf_counter(), set[asyncio.Task[None]]()
    for number in range(amount):
        await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        tasks.add(asyncio.ensure_future(_one(do, number)))
    await asyncio.gather(*tasks)


async def _one(do: Callable[[int], Awaitable[None]], number: int) -> None:
    await do(number)


def configured(connection_id: UUID, sequence: int) -> Event:
    """The whole state of a small connection, as a command publishes it."""
    now = datetime.now(UTC)
    state = ConnectionState(
        connection_id=connection_id,
        name="bench",
        environment="development",
        owner=None,
        kind="tcp",
        beat=BeatPolicy(),
        lifecycle="inactive",
        newest=Revision(number=1, config={"host": "127.0.0.1", "port": 1}),
        changed_at=now,
        changed_by="bench",
    )
    return Event(
        id=uuid4(),
        type=CONFIGURED,
        source="/clearline/gateway",
        subject=str(connection_id),
        time=now,
        key=str(connection_id),
        data=state,
        correlation_id="bench-correlation",
        sequence=sequence,
    )
