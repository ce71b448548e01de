"""Commands do not announce themselves while they commit; the relay is woken after it, and so are others' events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from services.gateway.tests.delivery.test_commands_in_order import CALLER, create, tools
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from gateway.commands.desk import Desk
from gateway.read_model.pools import open_pool
from gateway.wakes import AFTER_COMMIT, Wakes

WRITE = "insert into outbox (topic, key, headers, value) values ('t', 'k', '[]', null)"


class Heard:
    """Counts notices of the outbox."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> None:
        self.count += 1


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
    async with wakes_of(migrated) as wakes:
        wakes.tell()
        await until(lambda: heard.count > 0, within=10)
        await owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'clearline-test-wakes' and datname = current_database()"
        )

        def again() -> bool:
            wakes.tell()
            return heard.count > 1

        await until(again, within=10)
