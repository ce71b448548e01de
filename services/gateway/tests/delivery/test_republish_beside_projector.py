"""`gateway republish` and a projector's batch lock connections at the same time: neither waits for the other's end."""

import asyncio

import asyncpg
from services.gateway.tests.bus import configured
from services.gateway.tests.delivery.test_key_rotation import answer, begin, requests, turn
from services.gateway.tests.delivery.test_republish import republishing
from services.gateway.tests.migrated import MigratedDatabase, add_connection
from services.gateway.tests.projections.projecting import projecting
from tests.harness.waiting import until

from clearline.contracts.topics import CONNECTIONS
from gateway.rotation import RotationDuties

WAITS = "select exists (select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock')"


async def test_no_two_wait_for_each_other(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    """The batch locks the highest of three connections and then the lowest; republish stands before the middle one."""
    low, middle, high = sorted([await add_connection(owner) for _ in range(3)])
    await owner.execute("update service_connection_profiles set sequence = 4")
    await begin(owner)
    await turn(migrated, RotationDuties().ask_for_reseals)
    resealed = [answer(each) for each in await requests(owner) if each.connection_id == low]
    stale = [configured(high, 3), configured(high, 2)]

    async with (
        migrated.connect() as watcher,
        projecting(migrated) as member,
        republishing(migrated, CONNECTIONS) as again,
    ):

        async def waits(name: str) -> bool:
            return bool(await watcher.fetchval(WAITS, f"clearline-test-{name}"))

        async with owner.transaction():
            await owner.execute("select lock_connection($1)", middle)
            republishes = asyncio.create_task(again.republish())
            await until(lambda: waits("republish"))
            projects = asyncio.create_task(member.take(*stale, *resealed))

            async def projected_or_waits() -> bool:
                return projects.done() or await waits("project")

            await until(projected_or_waits)
        await projects
        assert await republishes == 3
    assert await owner.fetchval("select count(*) from outbox where topic = $1", CONNECTIONS.name) == 5
