"""Sends the records of one topic, waiting only so long for the topic and its leaders: no other topic waits for it.

A topic that is missing, forbidden or without a leader is no sign that Kafka is away. Its records are given back unsent,
so that the connection stays as it is. Records of one partition are sent in their order or, from one on, not at all.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner

from clearline.chassis.delivery import Outgoing, PartitionUnavailable, TopicUnavailable

PATIENCE_SECONDS = 3.0
"""An election takes less than a second, a new topic's metadata some tenths."""
_LOOK_SECONDS = 0.1

Placed = tuple[int, Outgoing]
"""A record, and its place in what `ProducerLink.send_all` was given."""
Sent = dict[int, asyncio.Future[Any] | Exception]
"""What is known of each place so far."""


async def send_topic(producer: AIOKafkaProducer, records: Sequence[Placed], sent: Sent, patience: float) -> None:
    """Send the records of one topic in order and note what each gave. Raises nothing that Kafka does."""
    topic = records[0][1].topic.name
    try:
        async with asyncio.timeout(patience):
            await producer.partitions_for(topic)
    except (TimeoutError, UnknownTopicOrPartitionError, TopicAuthorizationFailedError):
        _give_back(records, TopicUnavailable(f"Kafka shows no topic {topic}: it is missing or forbidden"), sent)
        return
    leaderless = _leaderless(producer, topic, records)
    await _send([each for each in records if each not in leaderless], producer, sent)
    if leaderless:
        await _wait_for_leaders(producer, topic, leaderless, patience)
        still = _leaderless(producer, topic, leaderless)
        _give_back(still, PartitionUnavailable(f"a partition of {topic} has no leader"), sent)
        await _send([each for each in leaderless if each not in still], producer, sent)


async def _send(records: Sequence[Placed], producer: AIOKafkaProducer, sent: Sent) -> None:
    for number, (place, out) in enumerate(records):
        record = out.record
        try:
            future: asyncio.Future[Any] = await producer.send(
                out.topic.name, record.value, record.key, headers=list(record.headers)
            )
        except (KafkaError, OSError) as error:
            _give_back(records[number:], error, sent)
            return
        future.add_done_callback(_retrieve)
        sent[place] = future


def _leaderless(producer: AIOKafkaProducer, topic: str, records: Sequence[Placed]) -> list[Placed]:
    """Those whose partition has no leader; one without a key goes to a partition that has one."""
    cluster = producer.client.cluster
    partitions = sorted(cluster.partitions_for_topic(topic) or ())
    led = cluster.available_partitions_for_topic(topic) or set()
    if len(led) == len(partitions):
        return []
    partition_of = DefaultPartitioner()
    return [
        (place, out)
        for place, out in records
        if out.record.key is not None and partition_of(out.record.key, partitions, []) not in led
    ]


async def _wait_for_leaders(producer: AIOKafkaProducer, topic: str, records: Sequence[Placed], patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            while _leaderless(producer, topic, records):
                await producer.client.force_metadata_update()
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        return


def _give_back(records: Sequence[Placed], error: Exception, sent: Sent) -> None:
    sent.update((place, error) for place, _ in records)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Whoever waited may be gone by now: an exception that nobody retrieves would be logged as a defect."""
    if not future.cancelled():
        future.exception()
