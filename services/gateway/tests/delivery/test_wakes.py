"""Commands do not announce themselves while they commit; the relay is woken after it, and so are others' events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.delivery.test_commands_in_order import CALLER, create, tools
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.places import free_ports
from tests.harness.waiting import until

from clearline.chassis.delivery import Delivery, Outgoing, Receipt
from clearline.chassis.environment import read
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import CONNECTIONS
from clearline.probes.sealing import generate_key_pair
from gateway import serve
from gateway.commands.desk import Desk
from gateway.read_model.pools import open_pool
from gateway.settings import ServeSettings
from gateway.token import Wish
from gateway.token import create as create_token
from gateway.wakes import AFTER_COMMIT, Wakes

WRITE = "insert into outbox (topic, key, headers, value) values ('t', 'k', '[]', null)"


LEADS = (
    "select exists (select from pg_locks where locktype = 'advisory' and granted"
    " and database = (select oid from pg_database where datname = current_database()))"
)


class Taking:
    """Kafka that takes all."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        self.taken += outgoing
        return [Receipt(Delivery.ACKNOWLEDGED)] * len(outgoing)


class Heard:
    """Counts notices of the outbox."""

    def __init__(self) -> None:
        self.count = 0
        self.senders: set[int] = set()
        """The server processes of the sessions that sent them."""

    def __call__(self, _connection: object, pid: int, *_: object) -> None:
        self.count += 1
        self.senders.add(pid)


@pytest.fixture
async def heard(owner: asyncpg.Connection) -> Heard:
    heard = Heard()
    await owner.add_listener("clearline_outbox", heard)
    return heard


@asynccontextmanager
async def wakes_of(migrated: MigratedDatabase) -> AsyncIterator[Wakes]:
    pool = await open_pool(migrated.login("clearline_relay"), name="test-wakes", max_size=1)
    wakes = Wakes(pool)
    running = asyncio.create_task(wakes.run())
    try:
        yield wakes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await pool.close()


async def notices_until_now(owner: asyncpg.Connection, heard: Heard) -> int:
    """Notices come in the order of commits: once our own is there, so are all before it."""
    before = heard.count
    await owner.execute("notify clearline_outbox")
    await until(lambda: heard.count > before, within=10)
    return heard.count - 1


async def test_a_command_is_announced_after_it_has_committed_and_not_by_itself(
    migrated: MigratedDatabase, owner: asyncpg.Connection, heard: Heard
) -> None:
    commands = await open_pool(migrated.login("clearline_api"), name="test", settings=AFTER_COMMIT)
    told: list[int] = []
    async with wakes_of(migrated) as wakes:
        quiet = Desk(commands, tools(), wake=lambda: told.append(1))
        await quiet.perform(CALLER, create("quiet"))
        assert (await notices_until_now(owner, heard), told) == (0, [1]), "the command's own transaction held the lock"
        before = heard.count
        await Desk(commands, tools(), wake=wakes.tell).perform(CALLER, create("loud"))
        await until(lambda: heard.count > before, within=10)
    await commands.close()


async def test_whoever_wakes_nobody_is_announced_by_the_outbox_itself(owner: asyncpg.Connection, heard: Heard) -> None:
    await owner.execute(WRITE)
    await until(lambda: heard.count > 0, within=10)


async def test_what_a_killed_gateway_committed_and_announced_to_nobody_goes_at_the_next_poll(
    migrated: MigratedDatabase, owner: asyncpg.Connection, heard: Heard
) -> None:
    commands = await open_pool(migrated.login("clearline_api"), name="test", settings=AFTER_COMMIT)
    kafka = Taking()
    async with relaying(migrated, kafka, CONNECTIONS):
        await until(lambda: owner.fetchval(LEADS), within=10)
        await Desk(commands, tools()).perform(CALLER, create("killed"))
        await drained(migrated)
    assert await notices_until_now(owner, heard) == 0
    assert kafka.taken
    await commands.close()


async def test_many_commands_are_one_notice_while_one_is_on_its_way(
    migrated: MigratedDatabase, owner: asyncpg.Connection, heard: Heard
) -> None:
    async with wakes_of(migrated) as wakes:
        for _ in range(100):
            wakes.tell()
        await until(lambda: heard.count > 0, within=10)
        assert await notices_until_now(owner, heard) == 1


async def test_wakes_go_on_after_postgres_threw_their_session_out(
    migrated: MigratedDatabase, owner: asyncpg.Connection, heard: Heard
) -> None:
    """Several times: whether the next wake meets a session that is gone, or one that is just going, is chance."""
    async with wakes_of(migrated) as wakes:
        for _ in range(6):
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'clearline-test-wakes' and datname = current_database()"
            )
            before = heard.count

            def again(before: int = before) -> bool:
                wakes.tell()
                return heard.count > before

            await until(again, within=10)


class Ill:
    """A pool whose connections fail, each time with the next of these."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.done = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Ill"]:
        yield self

    async def execute(self, _: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.done += 1


async def test_nothing_that_a_connection_raises_ends_the_waking() -> None:
    """A client's internal error, raised on a connection whose server was killed, once took the gateway down."""
    pool = Ill(
        OSError(), TimeoutError(), asyncpg.InterfaceError("closed"), asyncpg.QueryCanceledError("slow"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    )  # fmt: skip
    wakes = Wakes(cast("asyncpg.Pool", pool))
    running = asyncio.create_task(wakes.run())

    def woken() -> bool:
        wakes.tell()
        return pool.done > 0 or running.done()

    await until(woken, within=10)
    running.cancel()
    assert not pool.failures
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_gateway_wakes_the_relay_from_another_session_than_its_commands(
    migrated: MigratedDatabase, owner: asyncpg.Connection, heard: Heard
) -> None:
    wish = Wish(name="test", role="admin", environments=["development"], expires_at=None)
    _, token = await create_token(migrated.dsn, wish, token_id=uuid4(), now=datetime.now(UTC))
    environ = {
        "CLEARLINE_HTTP_PORT": "0",
        "CLEARLINE_POSTGRES_DSN": migrated.login("clearline_api"),
        "CLEARLINE_POSTGRES_RELAY_DSN": migrated.login("clearline_relay"),
        "CLEARLINE_SEALING_PUBLIC_KEY": generate_key_pair()[1],
        "CLEARLINE_INSTALLATION_KEY": "only-for-tests-" * 3,
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8",
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_ports(1)[0]}",
    }
    gateway, stop = await serve.compose(read(ServeSettings, environ), read(KafkaSettings, environ)), asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    url = f"http://127.0.0.1:{gateway.server.port}"
    body = {"name": "a", "environment": "development", "kind": "tcp", "config": {"host": "127.0.0.1", "port": 1}}
    async with aiohttp.ClientSession(url, headers={"authorization": f"Bearer {token}"}) as session:
        await until(lambda: _is_ready(session), within=20)
        async with session.post("/api/v1/connections", json=body) as answer:
            assert answer.status == 201, await answer.text()
    await until(lambda: heard.count > 0, within=10)
    senders = await owner.fetch("select application_name from pg_stat_activity where pid = any ($1)", heard.senders)
    assert [row["application_name"] for row in senders] == ["clearline-clock"], "a command announced itself"
    stop.set()
    await running


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    async with session.get("/health/ready") as answer:
        return answer.status == 200
