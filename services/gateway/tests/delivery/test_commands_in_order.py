"""Commands on one connection at the same time: each gets a number, and the outbox holds them in that order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import msgspec
from services.gateway.tests.migrated import MigratedDatabase

from clearline.contracts.topics import CONNECTIONS
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Sealer, generate_key_pair
from gateway.commands.create_connection import CreateConnection
from gateway.commands.desk import Desk
from gateway.commands.edit_connection import EditConnection
from gateway.commands.work import Tools
from gateway.read_model.pools import open_pool
from gateway.security.principal import Caller, Principal

CALLER = Caller(Principal(id=uuid4(), name="tester", role="admin", environments=("development",)), "corr-test-1")
EDITORS, EDITS = 8, 12


def tools() -> Tools:
    """What commands share, as far as these need it."""
    return Tools(
        sealer=Sealer(generate_key_pair()[1]),
        policy=OutboundPolicy.parse(("127.0.0.0/8",)),
        new_id=uuid4,
        outbox_pending=lambda: 0,
        outbox_limit=10_000,
    )


@asynccontextmanager
async def desk(migrated: MigratedDatabase) -> AsyncIterator[Desk]:
    pool = await open_pool(migrated.login("clearline_api"), name="test", max_size=EDITORS)
    try:
        yield Desk(pool, tools())
    finally:
        await pool.close()


def create(name: str) -> CreateConnection:
    return CreateConnection(
        name=name,
        environment="development",
        owner=None,
        kind="tcp",
        config={"host": "127.0.0.1", "port": 1},
        credentials={},
    )


async def test_the_outbox_holds_each_connections_changes_in_the_order_of_its_row(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    async with desk(migrated) as at:
        keys = [await at.perform(CALLER, create(f"c-{number}")) for number in range(2)]

        async def edit(editor: int) -> None:
            for number in range(EDITS):
                new_owner = f"team-{editor}-{number}"
                command = EditConnection(connection_id=keys[number % 2], expected=None, owner=new_owner)
                await at.perform(CALLER, command)

        await asyncio.gather(*(edit(editor) for editor in range(EDITORS)))
    for key in keys:
        await _check(owner, key, changes=1 + EDITORS * EDITS // 2)


async def _check(owner: asyncpg.Connection, key: UUID, changes: int) -> None:
    rows = await owner.fetch(
        "select headers, value from outbox where topic = $1 and key = $2 order by id", CONNECTIONS.name, str(key)
    )
    assert [int(dict(row["headers"])["ce_sequence"]) for row in rows] == list(range(1, changes + 1))
    [profile] = await owner.fetch("select sequence, owner from service_connection_profiles where id = $1", key)
    assert profile["sequence"] == changes
    assert msgspec.json.decode(rows[-1]["value"])["owner"] == profile["owner"]
    assert await owner.fetchval("select count(*) from audit where object_id = $1", str(key)) == changes
