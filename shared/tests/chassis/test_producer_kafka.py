"""The producer on a real broker: order per key, refusals that cost nobody else, recovery, bounded waits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec import structs
from tests.harness.kafka import create_topic
from tests.harness.waiting import until

from clearline.chassis import lease
from clearline.chassis.cloudevents import to_record
from clearline.chassis.delivery import BusUnavailable, Delivery, Extent, Outgoing, RawRecord, RecordRefused
from clearline.chassis.producer import Producer
from clearline.contracts.event import Event

MakeEvent = Callable[..., Event]


async def test_many_keep_their_order_and_are_acknowledged(bus: Any, event: MakeEvent) -> None:
    for start in range(0, 2_000, 500):
        await bus.send(*(event(f"k{n % 7}", n) for n in range(start, start + 500)))
    newest: dict[bytes, int] = {}
    for record in await bus.read(bus.topic):
        n = int(record.value.split(b'"n":')[1].split(b",")[0].rstrip(b"}"))
        assert newest.get(record.key, -1) < n
        newest[record.key] = n
    assert len(newest) == 7
    assert bus.value("clearline_producer_records_total", topic=bus.topic.name, delivery="acknowledged") == 2_000


async def test_an_oversize_record_is_refused_and_holds_only_its_key(make: Any, event: MakeEvent) -> None:
    bus = await make(max_bytes=10_000)
    events = [event("a", 0), event("b", 1, "x" * 20_000), event("a", 2), event("b", 3)]
    receipts = await bus.producer.publish_many([Outgoing(bus.topic, to_record(each)) for each in events])
    wanted = [Delivery.ACKNOWLEDGED, Delivery.REFUSED, Delivery.ACKNOWLEDGED, Delivery.HELD]
    assert [receipt.delivery for receipt in receipts] == wanted
    assert "10000" in receipts[1].detail
    with pytest.raises(RecordRefused):
        await bus.producer.publish(events[1], bus.topic)
    assert bus.value("clearline_producer_rebuilds_total") == 0


async def test_what_the_broker_itself_refuses_is_found_and_the_producer_goes_on(make: Any, event: MakeEvent) -> None:
    """The way into OutOfOrderSequenceNumber for ever: a record over the broker's limit that we did not know of."""
    bus = await make(partitions=1)
    admin = AIOKafkaAdminClient(bootstrap_servers=bus.bootstrap)
    await admin.start()
    limit = ConfigResource(ConfigResourceType.TOPIC, bus.topic.name, {"max.message.bytes": "5000"})
    await admin.alter_configs([limit])
    await admin.close()

    async def refused() -> bool:
        found = await bus.producer.publish_many([Outgoing(bus.topic, to_record(event("probe", 0, "x" * 20_000)))])
        return bool(found[0].delivery is Delivery.REFUSED)

    await until(refused)
    events = [event("a", 1), event("b", 2, "x" * 20_000), event("c", 3), event("b", 4)]
    receipts = await bus.producer.publish_many([Outgoing(bus.topic, to_record(each)) for each in events])
    wanted = [Delivery.ACKNOWLEDGED, Delivery.REFUSED, Delivery.ACKNOWLEDGED, Delivery.HELD]
    assert [receipt.delivery for receipt in receipts] == wanted
    for n in range(5):
        await bus.producer.publish(event("d", 10 + n), bus.topic)
    assert bus.value("clearline_producer_rebuilds_total") >= 1


async def test_a_topic_that_is_missing_costs_no_other_one(bus: Any, event: MakeEvent) -> None:
    missing = replace(bus.topic, name=bus.topic.name + ".missing")
    events = [
        (missing, event("a", 0)),
        (bus.topic, event("a", 1)),
        (missing, event("b", 2)),
        (bus.topic, event("b", 3)),
    ]
    receipts = await bus.producer.publish_many([Outgoing(topic, to_record(each)) for topic, each in events])
    unknown, acknowledged = (Delivery.UNKNOWN, Extent.TOPIC), (Delivery.ACKNOWLEDGED, Extent.BUS)
    assert [(each.delivery, each.extent) for each in receipts] == [unknown, acknowledged, unknown, acknowledged]
    assert bus.value("clearline_producer_rebuilds_total") == 0
    await create_topic(bus.bootstrap, missing.name)
    await bus.producer.publish(event("a", 4), missing)


async def test_after_a_hand_over_nothing_is_published(bus: Any, event: MakeEvent) -> None:
    ours = lease.Lease()
    with lease.under(ours):
        await bus.producer.publish(event("a", 0), bus.topic)
        ours.end()
        with pytest.raises(lease.LeaseLost):
            await bus.producer.publish(event("a", 1), bus.topic)
    assert len(await bus.read(bus.topic)) == 1


async def test_a_tombstone_and_a_record_without_a_key_can_be_published(bus: Any) -> None:
    await bus.producer.publish_encoded(RawRecord(b"gone", None, ()), bus.topic)
    await bus.producer.publish_encoded(RawRecord(None, b"{}", ()), bus.topic)
    found = await bus.read(bus.topic)
    assert {(record.key, record.value) for record in found} == {(b"gone", None), (None, b"{}")}


async def test_a_broker_that_is_not_there_is_told_at_once(bus: Any, event: MakeEvent) -> None:
    nobody = bus.settings.model_copy(update={"bootstrap_servers": ("127.0.0.1:9",)})
    producer = Producer(settings=nobody, metrics=bus.metrics, clock=bus.clock, client_id="t", timeout=3)
    with pytest.raises(BusUnavailable):
        await producer.start()
    with pytest.raises(BusUnavailable):
        await producer.publish(structs.replace(event("a", 0)), bus.topic)
    await producer.stop(1)
