"""Creates what topic records declare and refuses to run against topics that differ from them."""

import random
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from clearline.chassis.clock import Clock
from clearline.chassis.retry import KAFKA
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import Topic

REQUEST_TIMEOUT_MS = 10_000
SEEN_EVERY_SECONDS = 0.1

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class TopicsDiffer(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """A topic exists with another shape than its record declares; it was left as it is."""


async def provision(topics: Sequence[Topic], settings: KafkaSettings, clock: Clock) -> list[str]:
    """Create the missing ones and return their names. Waits for Kafka. Raises `TopicsDiffer`."""
    attempt = 0
    while True:
        attempt += 1
        admin = AIOKafkaAdminClient(**settings.client_options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            created = await _create_missing(topics, admin, settings.replication_factor)
            await _wait_until_there(topics, admin, clock)
            await _check(topics, admin)
        except (KafkaError, OSError) as error:
            if attempt == 1:
                _LOG.warning("waiting for Kafka to create topics", reason=type(error).__name__)
            await clock.sleep(KAFKA.wait(attempt, random.random))
        else:
            return created
        finally:
            await admin.close()


async def _create_missing(topics: Sequence[Topic], admin: AIOKafkaAdminClient, replication: int) -> list[str]:
    existing = await _partitions(admin)
    missing = [topic for topic in topics if topic.name not in existing]
    if missing:
        await _create(missing, admin, replication)
    return [topic.name for topic in missing]


async def _wait_until_there(topics: Sequence[Topic], admin: AIOKafkaAdminClient, clock: Clock) -> None:
    """A broker answers "created" before its own metadata shows it."""
    while not {topic.name for topic in topics} <= (await _partitions(admin)).keys():
        await clock.sleep(SEEN_EVERY_SECONDS)


async def _check(topics: Sequence[Topic], admin: AIOKafkaAdminClient) -> None:
    partitions = await _partitions(admin)
    differences = [
        *(line for topic in topics for line in partition_difference(topic, partitions[topic.name])),
        *(line for topic, config in await _configs(topics, admin) for line in config_differences(topic, config)),
    ]
    if differences:
        raise TopicsDiffer(
            "Topics on this Kafka differ from what Clearline declares; they were left as they are.\n"
            + "\n".join(f"  {line}" for line in differences)
            + "\nChange them with Kafka's own tools, or use another Kafka."
        )


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Number of partitions of every topic there is."""
    return {
        found["topic"]: len(found["partitions"]) for found in await admin.describe_topics() if not found["error_code"]
    }


async def _create(topics: Sequence[Topic], admin: AIOKafkaAdminClient, replication: int) -> None:
    response = await admin.create_topics([_new_topic(topic, replication) for topic in topics])
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another process was faster: it declares the same
            raise error(name)


def _new_topic(topic: Topic, replication: int) -> NewTopic:
    """The client refuses -1, the broker's own default, only in the constructor."""
    made = NewTopic(topic.name, topic.partitions, 1, topic_configs=declared(topic))
    made.replication_factor = replication
    return made


async def _configs(topics: Sequence[Topic], admin: AIOKafkaAdminClient) -> list[tuple[Topic, dict[str, str]]]:
    if not topics:
        return []
    by_name = {topic.name: topic for topic in topics}
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in by_name])
    return [
        (by_name[name], {entry[0]: str(entry[1]) for entry in entries})
        for response in responses
        for _code, _message, _kind, name, entries in _resources(response)
    ]


def _resources(response: Any) -> list[tuple[int, str, int, str, list[tuple[Any, ...]]]]:
    resources: list[tuple[int, str, int, str, list[tuple[Any, ...]]]] = response.resources
    return resources


def declared(topic: Topic) -> dict[str, str]:
    """The Kafka settings that a topic record fixes."""
    config = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(topic.max_bytes)}
    if topic.retention_ms is not None:
        config["retention.ms"] = str(topic.retention_ms)
    return config


def partition_difference(topic: Topic, found: int) -> list[str]:
    """A line for a person if the number of partitions differs: the same key would lie elsewhere."""
    if found == topic.partitions:
        return []
    return [f"{topic.name}: {found} partitions, declared are {topic.partitions}"]


def config_differences(topic: Topic, found: dict[str, str]) -> list[str]:
    """A line for a person per setting that differs."""
    return [
        f"{topic.name}: {name} is {found.get(name)}, declared is {wanted}"
        for name, wanted in declared(topic).items()
        if found.get(name) != wanted
    ]
