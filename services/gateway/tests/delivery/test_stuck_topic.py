"""A topic that Kafka does not take, on a real Kafka: its events wait, all others flow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
from prometheus_client import CollectorRegistry
from services.gateway.tests.bus import configured, everything_on, own, producer
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.kafka import create_topic
from tests.harness.places import unique
from tests.harness.waiting import until

from clearline.chassis.delivery import Delivery, Extent, Outgoing, Receipt
from clearline.contracts.topics import CONNECTIONS
from gateway import outbox
from gateway.metrics import GatewayMetrics
from gateway.relay import BATCH

TAKEN = Receipt(Delivery.ACKNOWLEDGED)
GONE = "select not exists (select from outbox where topic = $1)"
STUCK = ("clearline_relay_stuck", {"topic": "unknown"})


async def test_a_topic_that_kafka_does_not_have_holds_up_no_other(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    topic, publisher = await own(kafka, CONNECTIONS), producer(kafka)
    missing = replace(topic, name=unique("missing"))
    async with owner.transaction():
        for number in range(BATCH + 100):  # more than one look holds, so that they fill it unless they are left out
            await outbox.append(owner, missing, configured(UUID(int=number % 50), number + 1))
    registry = CollectorRegistry()
    async with relaying(migrated, publisher, topic, metrics=GatewayMetrics(registry)):
        for sequence in (1, 2):
            await outbox.append(owner, topic, configured(UUID(int=1), sequence))
            await until(lambda: owner.fetchval(GONE, topic.name), within=8, what="the other topic to go")
        await until(lambda: registry.get_sample_value(*STUCK) == 1)
        await create_topic(kafka, missing.name, partitions=missing.partitions)
        await drained(migrated, within=20)
        await until(lambda: registry.get_sample_value(*STUCK) == 0)
    await publisher.stop()
    seen = await everything_on(kafka, missing)
    assert len({record.sequence for record in seen}) == BATCH + 100
    for key in {record.key for record in seen}:
        sequences = [record.sequence for record in seen if record.key == key]
        assert sequences == sorted(sequences)


@dataclass
class Moody:
    """Kafka as told, call by call, which is topic by topic; in the end it takes everything."""

    says: list[list[Receipt]]

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        return self.says.pop(0) if self.says else [TAKEN for _ in outgoing]


async def test_when_kafka_is_back_no_topic_is_called_stuck_any_more(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    registry = CollectorRegistry()
    async with owner.transaction():
        await outbox.append(owner, replace(CONNECTIONS, name="new"), configured(UUID(int=1), 1))
        await outbox.append(owner, CONNECTIONS, configured(UUID(int=2), 1))
    kafka = Moody([[Receipt(Delivery.UNKNOWN, "no", Extent.TOPIC)], [Receipt(Delivery.UNKNOWN, "no")]])
    async with relaying(migrated, kafka, CONNECTIONS, metrics=GatewayMetrics(registry)):
        await drained(migrated)
        await until(lambda: registry.get_sample_value(*STUCK) == 0)
