"""The harness itself: its servers answer, and its faults are faults."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tests.harness import kafka as kafka_harness
from tests.harness import postgres as postgres_harness
from tests.harness.database import Database
from tests.harness.kafka import KafkaServer, create_topic
from tests.harness.places import unique
from tests.harness.postgres import PostgresServer


async def test_a_record_survives_a_killed_broker(own_kafka: KafkaServer) -> None:
    topic = await create_topic(own_kafka.bootstrap, unique("survives"), partitions=3)
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, b"before", partition=2)
    await own_kafka.kill()
    assert not await kafka_harness.answers(own_kafka.bootstrap)
    await own_kafka.start()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=own_kafka.bootstrap, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(20):
        assert (await consumer.getone()).value == b"before"


async def test_a_paused_broker_does_not_answer_until_it_is_resumed(own_kafka: KafkaServer) -> None:
    own_kafka.pause()
    try:
        assert not await kafka_harness.answers(own_kafka.bootstrap)
    finally:
        own_kafka.resume()
    assert await kafka_harness.answers(own_kafka.bootstrap)


async def test_a_committed_row_survives_a_killed_database(own_postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(own_postgres.dsn)
    await connection.execute("create table kept (n int); insert into kept values (7)")
    await own_postgres.kill()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("select n from kept")
    connection.terminate()
    await own_postgres.start()
    connection = await asyncpg.connect(own_postgres.dsn)
    assert await connection.fetchval("select n from kept") == 7
    await connection.close()


async def test_a_paused_database_freezes_open_sessions_too(own_postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(own_postgres.dsn)
    own_postgres.pause()
    try:
        assert not await postgres_harness.answers(own_postgres.dsn)
        question = asyncio.ensure_future(connection.fetchval("select 1"))
        done, _ = await asyncio.wait({question}, timeout=0.5)
        assert not done
    finally:
        own_postgres.resume()
    assert await question == 1
    await connection.close()


async def test_the_session_servers_answer(kafka: str, postgres: str) -> None:
    assert await kafka_harness.answers(kafka)
    assert await postgres_harness.answers(postgres)


async def test_every_test_has_a_database_of_its_own(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn)
    assert await connection.fetchval("select current_database()") == database.name
    await connection.close()
