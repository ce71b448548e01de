"""What a rebalance overtakes is never taken, whatever aiokafka still hands out."""

from typing import Any, cast

from aiokafka import TopicPartition

from clearline.chassis.consumption import Partition
from clearline.chassis.group_member import GroupMember
from clearline.chassis.settings import KafkaSettings

TP = TopicPartition("t", 0)
PLACE = Partition("t", 0)


class Kafka:
    """Stands in for aiokafka's consumer: always has one record."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.sought: dict[TopicPartition, int] = {}
        self.meanwhile: Any = None

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[str]]:
        if self.meanwhile is not None:
            await self.meanwhile()
        return {TP: ["a record"]}

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= set(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought[place] = offset


async def member(kafka: Kafka) -> tuple[GroupMember, list[str]]:
    told: list[str] = []

    async def hand_over() -> None:
        told.append("handed over")

    made = GroupMember(
        KafkaSettings(bootstrap_servers=("h:1",)), ["t"], "g", hand_over, lambda: told.append("assigned")
    )
    made._consumer = cast("Any", kafka)
    await made.on_partitions_assigned({TP})
    return made, told


async def test_partitions_arrive_paused_and_nothing_is_taken_before_their_position_is_known() -> None:
    kafka = Kafka()
    joined, told = await member(kafka)
    assert told == ["assigned"]
    assert kafka.paused == {TP}
    assert await joined.poll(10) == {}
    joined.take_up({PLACE: 7})
    assert (kafka.paused, kafka.sought) == (set(), {TP: 7})
    assert list(await joined.poll(10)) == [PLACE]


async def test_records_that_a_revocation_overtakes_are_left_out() -> None:
    kafka = Kafka()
    joined, told = await member(kafka)
    joined.take_up({PLACE: 7})
    kafka.meanwhile = lambda: joined.on_partitions_revoked({TP})
    assert await joined.poll(10) == {}
    assert told == ["assigned", "handed over"]


async def test_records_read_across_a_whole_rebalance_are_left_out() -> None:
    kafka = Kafka()
    joined, _ = await member(kafka)
    joined.take_up({PLACE: 7})

    async def rebalance() -> None:
        await joined.on_partitions_revoked({TP})
        await joined.on_partitions_assigned({TP})
        joined.take_up({PLACE: 7})

    kafka.meanwhile = rebalance
    assert await joined.poll(10) == {}
