"""Reading one place of a topic: what is gone is told at once, what Kafka does not give is not taken for gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from clearline.chassis.consumption import Partition
from clearline.chassis.scan import Scan, ScanStuck, scanning
from clearline.contracts.event import Event


async def test_what_retention_took_is_told_at_once(make: Any, event: Callable[..., Event]) -> None:
    bus = await make(partitions=1)
    await bus.send(*(event("a", n) for n in range(3)))
    place, admin = Partition(bus.topic.name, 0), AIOKafkaAdminClient(bootstrap_servers=bus.bootstrap)
    async with scanning(bus.settings, [bus.topic.name]) as scan:
        found = await scan.one(place, 1)
        assert found is not None
        assert found.offset == 1
        await admin.start()
        await admin.delete_records({TopicPartition(*_parts(place)): RecordsToDelete(before_offset=3)})
        await admin.close()
        async with asyncio.timeout(5):
            assert await scan.one(place, 1) is None


async def test_what_kafka_does_not_give_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        async def beginning_offsets(self, _places: object) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("clearline.chassis.scan.ASK_SECONDS", 0.01)
    place = Partition("t", 0)
    with pytest.raises(ScanStuck):
        await Scan(Away(), {place: 0}, {place: 3}).one(place, 1)


def _parts(place: Partition) -> tuple[str, int]:
    return place.topic, place.number
