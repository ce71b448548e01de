"""When an old state comes after a newer one, the newest goes out again; and only then."""

from uuid import UUID

import asyncpg
from services.gateway.tests.bus import configured
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification, succeed
from services.gateway.tests.projections.projecting import Projecting, projecting

from clearline.contracts.topics import CONNECTIONS
from gateway.projections.connection_sequences import look

ID = UUID(int=1)


def test_only_the_last_record_of_a_key_matters() -> None:
    fine = [configured(ID, each) for each in (1, 2, 1, 2)]
    assert look(fine, {}) == ({ID: 2}, [])
    stale = [configured(ID, each) for each in (1, 2, 1)]
    assert look(stale, {}) == ({ID: 2}, stale[2:])
    assert look(stale[:1], {ID: 7}) == ({ID: 7}, stale[:1])
    assert look(fine, {}, {ID}) == ({ID: 2}, fine[3:]), "of what is gone every state is an old one"


async def at_sequence(owner: asyncpg.Connection, sequence: int) -> UUID:
    connection_id = await add_connection(owner)
    await owner.execute("update service_connection_profiles set sequence = $1", sequence)
    return connection_id


async def say(member: Projecting, connection_id: UUID, *sequences: int) -> None:
    await member.take(*(configured(connection_id, each) for each in sequences), topic=CONNECTIONS.name)


async def outgoing(owner: asyncpg.Connection) -> list[tuple[str, str | None]]:
    rows = await owner.fetch("select headers, value from outbox order by id")
    return [(dict(row["headers"]).get("ce_type", "tombstone"), dict(row["headers"]).get("ce_sequence")) for row in rows]


async def test_in_order_nothing_is_published(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    connection_id = await at_sequence(owner, 3)
    async with projecting(migrated) as member:
        await say(member, connection_id, 1, 2)
        await say(member, connection_id, 2, 3)
    assert await outgoing(owner) == []
    assert await owner.fetchval("select sequence from connection_sequences") == 3


async def test_after_a_lower_one_the_state_of_now_goes_out(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await at_sequence(owner, 4)
    verification_id = await add_verification(owner, connection_id)
    await succeed(owner, verification_id)
    await owner.execute(
        "update service_connection_profiles set lifecycle = 'active', live_revision = 1, live_verification_id = $1",
        verification_id,
    )
    async with projecting(migrated) as member:
        await say(member, connection_id, 1, 2, 3)
        await say(member, connection_id, 2)
        assert await outgoing(owner) == [("clearline.connection.activated.v1", "4")]
        assert member.count("clearline_connections_republished_total") == 1
        await say(member, connection_id, 4)
        assert len(await outgoing(owner)) == 1


async def test_a_retired_connection_stays_retired_and_a_buried_one_buried(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await at_sequence(owner, 4)
    await owner.execute("update service_connection_profiles set lifecycle = 'retired', retired_at = now()")
    async with projecting(migrated) as member:
        await say(member, connection_id, 4, 3)
        await owner.execute("update service_connection_profiles set tombstoned_at = now()")
        await say(member, connection_id, 2)
        await say(member, connection_id, 4)  # the very state before the tombstone, sent again after it
    assert await outgoing(owner) == [("clearline.connection.retired.v1", "4"), ("tombstone", None), ("tombstone", None)]


async def test_a_database_set_back_does_not_publish_for_ever(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    """Its row is older than what the bus has seen: publishing it would bring the same lower sequence for ever."""
    connection_id = await at_sequence(owner, 2)
    async with projecting(migrated) as member:
        await say(member, connection_id, 5)
        await say(member, connection_id, 2)
    assert await outgoing(owner) == []
