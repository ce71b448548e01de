"""A connection that is gone ends with a tombstone on the compacted topic, whatever an old relay still sends."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from services.gateway.tests.bus import configured, everything_on, own, producer
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.migrated import MigratedDatabase, add_connection
from services.gateway.tests.projections.projecting import projecting

from clearline.contracts.topics import CONNECTIONS, Topic
from gateway.clock import TOMBSTONE_AFTER, Duties
from gateway.read_model.pools import open_pool


async def bury(migrated: MigratedDatabase, topic: Topic, now: datetime) -> None:
    pool = await open_pool(migrated.login("clearline_relay"), name="test-bury", max_size=1)
    async with pool.acquire() as connection, connection.transaction():
        await Duties(connections=topic).bury_retired_connections(connection, now)
    await pool.close()


async def last_of(kafka: str, topic: Topic, connection_id: UUID) -> bytes | None:
    return [seen for seen in await everything_on(kafka, topic) if seen.key == str(connection_id)][-1].value


async def test_the_last_record_is_a_tombstone_and_stays_one(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, publisher = await own(kafka, CONNECTIONS), producer(kafka)
    retired_at = datetime.now(UTC)
    connection_id = await add_connection(owner)
    await owner.execute(
        "update service_connection_profiles set lifecycle = 'retired', retired_at = $1, sequence = 3", retired_at
    )
    states = [configured(connection_id, sequence) for sequence in (1, 2, 3)]
    for state in states:
        await publisher.publish(state, topic)
    async with relaying(migrated, publisher, topic), projecting(migrated, topic) as projector:
        await bury(migrated, topic, retired_at + TOMBSTONE_AFTER - timedelta(minutes=1))
        await drained(migrated)
        assert await last_of(kafka, topic, connection_id) is not None, "not a moment before"
        await bury(migrated, topic, retired_at + TOMBSTONE_AFTER + timedelta(minutes=1))
        await drained(migrated)
        assert await last_of(kafka, topic, connection_id) is None
        for late in (states[0], states[2]):
            await publisher.publish(late, topic)  # a relay that slept
            assert await last_of(kafka, topic, connection_id) is not None
            await projector.take(late, topic=CONNECTIONS.name)
            await drained(migrated)
            assert await last_of(kafka, topic, connection_id) is None, late.sequence
    await publisher.stop()
