"""Kafka loses everything: connections are written back, the projector goes on; a shorter log is mended by a command."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from services.gateway.tests.bus import everything_on, kafka_settings, own, producer
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.delivery.test_projection_on_kafka import Bus, member, pending
from services.gateway.tests.facts import verified
from services.gateway.tests.migrated import MigratedDatabase, add_connection
from tests.harness.kafka import KafkaServer
from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.topics import provision
from clearline.contracts.topics import CONNECTIONS, DEAD_LETTERS, VERIFICATIONS, Topic
from gateway import repairs
from gateway.positions import forget_past_the_end, look
from gateway.read_model.connection_state import load_state
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id
from gateway.republish import Republishing

pytestmark = pytest.mark.timeout(120)


@contextlib.asynccontextmanager
async def republishing(migrated: MigratedDatabase, topic: Topic, most: int = 1000) -> AsyncIterator[Republishing]:
    pool = await open_pool(migrated.login("clearline_projector"), name="test-republish", max_size=2)
    try:
        yield Republishing(
            pool, SystemClock(), most_waiting=most, correlation="republish-1", topic=topic, say=lambda _: None
        )
    finally:
        pool.terminate()


async def connections(owner: asyncpg.Connection) -> list[UUID]:
    """Of every kind: new, edited, retired, gone."""
    ids = [await add_connection(owner) for _ in range(130)]
    await owner.execute("update service_connection_profiles set sequence = 7, name = 'edited' where id = $1", ids[1])
    for gone, one in ((False, ids[2]), (True, ids[3])):
        await owner.execute(
            "update service_connection_profiles set lifecycle = 'retired', retired_at = now(), sequence = 3, "
            "tombstoned_at = case when $2 then now() end where id = $1",
            *(one, gone),
        )
    return ids


async def as_postgres_has_it(owner: asyncpg.Connection, ids: list[UUID], gone: UUID) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for each in ids:
        async with owner.transaction():
            state, sequence = await load_state(owner, each)
        wanted[str(each)] = None if each == gone else (msgspec.json.encode(state), sequence)
    return wanted


async def as_kafka_has_it(bootstrap: str, topic: Topic) -> dict[str, Any]:
    """The last record of each key."""
    last: dict[str, Any] = {}
    for record in await everything_on(bootstrap, topic):
        last[record.key] = None if record.value is None else (record.value, record.sequence)
    return last


async def test_a_lost_kafka_gets_every_connections_state_back(
    own_kafka: KafkaServer, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, ids = await own(own_kafka.bootstrap, CONNECTIONS), await connections(owner)
    wanted = await as_postgres_has_it(owner, ids, gone=ids[3])
    await own_kafka.lose_everything()
    await provision([topic], kafka_settings(own_kafka.bootstrap), SystemClock())
    publisher = producer(own_kafka.bootstrap)
    async with republishing(migrated, topic) as again, relaying(migrated, publisher, topic):
        for _ in range(2):  # the second time changes nothing for anyone who follows sequences
            assert await again.republish() == len(ids)
            await drained(migrated, within=20)
            assert await as_kafka_has_it(own_kafka.bootstrap, topic) == wanted
    await publisher.stop()
    assert (
        len({record.headers["ce_id"] for record in await everything_on(own_kafka.bootstrap, topic) if record.value})
        == 129
    )
    assert await owner.fetchval("select count(*) from audit where action = 'connections.republished'") == 2


async def test_it_leaves_room_for_commands_goes_on_after_an_id_and_runs_once(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    ids = sorted([await add_connection(owner) for _ in range(120)])
    async with republishing(migrated, CONNECTIONS, most=100) as again, migrated.connect("clearline_relay") as relay:
        deepest = 0

        def kafka_takes_nothing_until_asked_to_wait(line: str) -> None:
            if "half full" in line:
                raise InterruptedError

        again._say = kafka_takes_nothing_until_asked_to_wait
        with pytest.raises(InterruptedError):
            await again.republish()
        deepest = await owner.fetchval("select count(*) from outbox")
        assert deepest == 100, "it did not stop where commands need the room"
        await relay.execute("delete from outbox")
        async with republishing(migrated, CONNECTIONS) as other, repairs.alone(other._pool, "republish"):
            with pytest.raises(repairs.NotNow, match="runs already"):
                await again.republish()
        assert await again.republish(after=ids[99]) == 20
        keys = await owner.fetch("select key from outbox order by id")
        assert [row["key"] for row in keys] == [str(each) for each in ids[100:]]


async def test_the_projector_goes_on_with_a_new_cluster_and_with_a_shorter_log_once_that_is_forgotten(
    own_kafka: KafkaServer, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    kafka = own_kafka.bootstrap
    facts, grave = await own(kafka, VERIFICATIONS, partitions=1), await own(kafka, DEAD_LETTERS)
    bus, ids = Bus(kafka, facts, grave, unique("projector")), await pending(owner, 3)
    settings, publisher = kafka_settings(own_kafka.bootstrap), producer(own_kafka.bootstrap)

    async def told(which: int) -> bool:
        return bool(await owner.fetchval("select outcome = 'verified' from verifications where id = $1", ids[which]))

    async with member(bus, migrated) as consumer:
        await publisher.publish(verified(ids[0]), bus.facts)
        await until(lambda: told(0), within=20)
        await own_kafka.lose_everything()
        await provision([bus.facts, bus.dead], settings, SystemClock())
        await until(lambda: _published(publisher, verified(ids[1]), bus.facts), within=30)
        await until(lambda: told(1), within=60)
        # As after an unclean election: the log is shorter than what was projected of it.
        await owner.execute("update positions set next_offset = next_offset + 1000")
        consumer.renew()
        await until(lambda: _published(publisher, verified(ids[2]), bus.facts), within=30)
        await until(lambda: "points past the end of the log" in consumer.status().detail, within=30)
        assert not consumer.status().healthy
        await until(lambda: consumer.status().lag_seconds > 3, within=30)
        pool = await open_pool(migrated.login("clearline_projector"), name="test-positions", max_size=1)
        positions = StoredPositions(pool, bus.group, partial(ask_cluster_id, settings))
        standings = await look(positions, settings, [bus.facts.name])
        assert any(each.past_the_end for each in standings)
        assert not await told(2)
        forgotten = await forget_past_the_end(pool, positions, standings)
        assert forgotten == [each for each in standings if each.past_the_end]
        await until(lambda: told(2), within=30)
        assert not any(each.past_the_end for each in await look(positions, settings, [bus.facts.name]))
        pool.terminate()
    await publisher.stop()
    actions = await owner.fetch("select distinct action from audit")
    assert [row["action"] for row in actions] == ["position.forgotten"]


async def _published(publisher: Any, event: Any, topic: Topic) -> bool:
    try:
        await publisher.publish(event, topic)
    except OSError:
        return False
    return True
