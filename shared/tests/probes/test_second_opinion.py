"""What a verification says of Redis and Kafka is what their users' own client libraries meet on the same servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.helpers import create_ssl_context
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from tests.harness.kafka_stand import KafkaStand
from tests.harness.programs import program
from tests.harness.redis import PROGRAM
from tests.harness.redis_stand import RedisStand, redis_stand

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisStand]:
    async with redis_stand(program(**PROGRAM), tmp_path_factory.mktemp("redis")) as made:
        yield made


def redis_client(config: dict[str, Any], credentials: dict[str, str]) -> Redis:
    return Redis(
        host=config["host"],
        port=config["port"],
        username=config["user"],
        password=credentials["password"],
        ssl=True,
        ssl_ca_data=config["ca_certificate"],
        socket_timeout=3,
        retry=Retry(NoBackoff(), 0),
    )


@pytest.mark.parametrize(
    ("case", "commands", "error"),
    [
        ("good", [("SET", "orders:7", "1"), ("GET", "orders:7")], None),
        ("missing permission", [("GET", "orders:7"), ("HSET", "orders:8", "field", "1")], NoPermissionError),
        ("wrong credentials", [("GET", "orders:7")], AuthenticationError),
        ("wrong port", [("GET", "orders:7")], RedisError),
    ],
)
async def test_redis_py_meets_what_the_verification_says(
    redis: RedisStand, climbing: Any, case: str, commands: list[tuple[str, ...]], error: type[Exception] | None
) -> None:
    verdict = await climbing("redis", *redis.cases[case])
    met: list[Exception] = []
    async with redis_client(*redis.cases[case]) as client:
        for words in commands:
            try:
                await client.execute_command(*words)  # type: ignore[no-untyped-call]  # it has no types
            except RedisError as refused:
                met.append(refused)
    assert (verdict.status == "verified") is (error is None) is (not met), (verdict.failure, met)
    assert error is None or isinstance(met[-1], error)


def kafka_options(config: dict[str, Any], credentials: dict[str, str], folder: Path) -> dict[str, Any]:
    authorities = folder / "authorities.pem"
    authorities.write_text(config["ca_certificate"])
    return {
        "bootstrap_servers": f"{config['host']}:{config['port']}",
        "security_protocol": "SASL_SSL",
        "ssl_context": create_ssl_context(cafile=str(authorities)),
        "sasl_mechanism": config["sasl_mechanism"],
        "sasl_plain_username": config["user"],
        "sasl_plain_password": credentials["password"],
        "request_timeout_ms": 5000,
    }


@pytest.mark.parametrize("topic", ["orders", "secrets"])
async def test_aiokafka_may_do_what_the_verification_says(
    secured: KafkaStand, climbing: Any, topic: str, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {
        "topic_permissions": [{"topic": topic, "operations": ["write", "read"]}],
        "consumer_group": "order-service",
    }
    config, credentials = secured.encrypted(**asked)
    verdict = await climbing("kafka", config, credentials)
    options = kafka_options(config, credentials, tmp_path)
    read: bytes | None = None
    try:
        async with AIOKafkaProducer(**options) as producer:
            await producer.send_and_wait(topic, b"a thing", partition=0)
        async with AIOKafkaConsumer(**options, group_id="order-service", auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            read = (await consumer.getone()).value
            await consumer.commit()
    except TopicAuthorizationFailedError:
        assert verdict.failure.code == "PERMISSION_MISSING"
    else:
        assert verdict.status == "verified", verdict.failure
    assert (read == b"a thing") is (topic == "orders")


async def test_aiokafka_is_not_let_in_where_the_verification_is_not(secured: KafkaStand, tmp_path: Path) -> None:
    for case in ("wrong credentials", "wrong port"):
        producer = AIOKafkaProducer(**kafka_options(*secured.cases[case], tmp_path))
        try:
            with pytest.raises(KafkaError):
                await producer.start()
        finally:
            await producer.stop()
