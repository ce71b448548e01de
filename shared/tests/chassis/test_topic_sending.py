"""A partition without a leader keeps its own records back, in their order, and no others. No I/O."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka.partitioner import DefaultPartitioner

from clearline.chassis.delivery import Delivery, Extent, Outgoing, RawRecord, receipt_of
from clearline.chassis.topic_sending import Sent, send_topic
from clearline.contracts.topics import CONNECTIONS

PARTITIONS = 3


@dataclass
class FakeCluster:
    """What aiokafka's client and cluster say; a leader for partition 0 comes after some looks, or never."""

    comes_after: int
    looks: int = 0

    @property
    def cluster(self) -> "FakeCluster":
        return self

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(range(PARTITIONS))

    def available_partitions_for_topic(self, _: str) -> set[int]:
        return set(range(0 if self.looks >= self.comes_after else 1, PARTITIONS))

    async def force_metadata_update(self) -> None:
        self.looks += 1


@dataclass
class FakeProducer:
    client: FakeCluster
    sent: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def partitions_for(self, topic: str) -> set[int]:
        return self.client.partitions_for_topic(topic)

    async def send(self, _: str, value: bytes, key: bytes, headers: object) -> asyncio.Future[Any]:
        assert headers == []
        self.sent.append((key, value))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result("metadata")
        return future


def partition_of(key: bytes) -> int:
    return int(DefaultPartitioner()(key, list(range(PARTITIONS)), []))


RECORDS = [(n, Outgoing(CONNECTIONS, RawRecord(f"k{n % 7}".encode(), str(n).encode(), ()))) for n in range(21)]
LEADERLESS = [n for n, out in RECORDS if partition_of(out.record.key or b"") == 0]


async def test_what_has_no_leader_is_given_back_and_the_rest_goes() -> None:
    producer, sent = FakeProducer(FakeCluster(comes_after=99)), Sent()
    await send_topic(producer, RECORDS, sent, 0.3)
    assert 0 < len(LEADERLESS) < len(RECORDS)
    assert [int(value) for _, value in producer.sent] == [n for n, _ in RECORDS if n not in LEADERLESS]
    for n in LEADERLESS:
        receipt = receipt_of(sent[n])
        assert (receipt.delivery, receipt.extent) == (Delivery.UNKNOWN, Extent.PARTITION)


async def test_a_leader_that_comes_in_time_is_waited_for() -> None:
    producer, sent = FakeProducer(FakeCluster(comes_after=2)), Sent()
    await send_topic(producer, RECORDS, sent, 5)
    assert sorted(sent) == [n for n, _ in RECORDS]
    for key in {out.record.key for _, out in RECORDS}:
        values = [int(value) for each, value in producer.sent if each == key]
        assert values == sorted(values)
        assert len(values) == 3
