"""Topics are created from their records; one that differs is told and left alone."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import TopicsDiffer, provision
from clearline.contracts.topics import TOPICS, Topic


def renamed() -> list[Topic]:
    prefix = unique("prov")
    return [replace(topic, name=f"{prefix}.{topic.name}") for topic in TOPICS]


async def _described(bootstrap: str, topic: Topic) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
        return {entry[0]: entry[1] for entry in responses[0].resources[0][4]}
    finally:
        await admin.close()


async def test_missing_topics_are_created_as_declared_and_once(kafka: str) -> None:
    settings, topics = KafkaSettings(bootstrap_servers=(kafka,)), renamed()
    both = await asyncio.gather(*(provision(topics, settings, SystemClock()) for _ in range(2)))
    assert {name for names in both for name in names} == {topic.name for topic in topics}
    await until(lambda: _nothing_is_missing(topics, settings))
    for topic in topics:
        config = await _described(kafka, topic)
        assert config["cleanup.policy"] == topic.cleanup
        assert config["max.message.bytes"] == str(topic.max_bytes)
        if topic.retention_ms is not None:
            assert config["retention.ms"] == str(topic.retention_ms)


async def _nothing_is_missing(topics: list[Topic], settings: KafkaSettings) -> bool:
    return await provision(topics, settings, SystemClock()) == []


async def test_a_difference_is_told_and_nothing_is_changed(kafka: str) -> None:
    settings, topics = KafkaSettings(bootstrap_servers=(kafka,)), renamed()
    await provision(topics, settings, SystemClock())
    fewer = replace(topics[0], partitions=topics[0].partitions + 1, max_bytes=77_777)
    with pytest.raises(TopicsDiffer) as caught:
        await provision([fewer, replace(fewer, name=unique("never"))], settings, SystemClock())
    said = str(caught.value)
    assert f"{fewer.name}: 12 partitions, declared are 13" in said
    assert f"{fewer.name}: max.message.bytes is 262144, declared is 77777" in said
    assert (await _described(kafka, fewer))["max.message.bytes"] == "262144"
