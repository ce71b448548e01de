"""While the relay tries what Kafka does not take, everything else goes: nobody waits for the end of such a try."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg
from services.gateway.tests.bus import configured
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from clearline.chassis.delivery import Delivery, Extent, Outgoing, Receipt
from clearline.contracts.topics import CONNECTIONS
from gateway import outbox
from gateway.relay_batch import Row, row_of
from gateway.relay_sending import parted

GOES, STUCK = UUID(int=1), UUID(int=2)
ELSEWHERE = replace(CONNECTIONS, name="elsewhere")
TAKEN = Receipt(Delivery.ACKNOWLEDGED)


@dataclass
class Slow:
    """Kafka as it takes everything but the events of one place; each try of those lasts until it is let go."""

    topic: str
    extent: Extent
    tries: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    mended: bool = False
    sent: list[Outgoing] = field(default_factory=list)

    def _is_ill(self, out: Outgoing) -> bool:
        there = out.topic.name == self.topic
        return (
            there and not self.mended and (self.extent is not Extent.PARTITION or out.record.key == str(STUCK).encode())
        )

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        if any(map(self._is_ill, outgoing)):
            self.tries += 1
            await self.let_go.wait()
        said = [Receipt(Delivery.UNKNOWN, "no", self.extent) if self._is_ill(out) else TAKEN for out in outgoing]
        self.sent += [out for out, receipt in zip(outgoing, said, strict=True) if receipt is TAKEN]
        return said

    async def end_one_try(self) -> None:
        """And wait until the next one has begun."""
        tries = self.tries
        self.let_go.set()
        self.let_go = asyncio.Event()
        await until(lambda: self.tries > tries, within=20)


@asynccontextmanager
async def stuck_at(kafka: Slow, migrated: MigratedDatabase, owner: asyncpg.Connection) -> AsyncIterator[None]:
    await outbox.append(owner, CONNECTIONS, configured(STUCK, 1))
    async with relaying(migrated, kafka, CONNECTIONS):
        await until(lambda: kafka.tries == 1)
        yield
        await outbox.append(owner, CONNECTIONS, configured(STUCK, 2))
        kafka.mended = True
        kafka.let_go.set()
        await drained(migrated)
    sequences = [dict(out.record.headers)["ce_sequence"] for out in kafka.sent if out.record.key == str(STUCK).encode()]
    assert sequences == [b"1", b"2"]


async def goes(owner: asyncpg.Connection, kafka: Slow, topic: str, sequence: int) -> None:
    """An event of another place goes while the try of the stuck one lasts."""
    tries = kafka.tries
    await outbox.append(owner, replace(CONNECTIONS, name=topic), configured(GOES, sequence))
    left = "select not exists (select from outbox where key = $1)"
    await until(lambda: owner.fetchval(left, str(GOES)), within=8, what="what is not stuck to go")
    assert kafka.tries == tries, "it went only once the try had ended"


async def test_a_topic_that_is_tried_holds_up_no_other_the_first_time_and_again(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    kafka = Slow(CONNECTIONS.name, Extent.TOPIC)
    async with stuck_at(kafka, migrated, owner):
        for sequence in range(1, 4):
            await goes(owner, kafka, ELSEWHERE.name, sequence)
            await kafka.end_one_try()
        assert kafka.tries == 4


async def test_a_key_that_is_tried_again_holds_up_no_other_key_of_its_topic(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    kafka = Slow(CONNECTIONS.name, Extent.PARTITION)
    async with stuck_at(kafka, migrated, owner):
        await kafka.end_one_try()
        for sequence in range(1, 3):
            await goes(owner, kafka, CONNECTIONS.name, sequence)
            await kafka.end_one_try()


async def test_what_times_out_while_others_go_is_stuck_by_itself(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    kafka = Slow(CONNECTIONS.name, Extent.BUS)
    async with stuck_at(kafka, migrated, owner):
        for sequence in range(1, 3):
            await goes(owner, kafka, ELSEWHERE.name, sequence)
            await kafka.end_one_try()


def test_rows_are_parted_by_topic_and_what_was_stuck_from_the_rest() -> None:
    def row(number: int, topic: str, key: str) -> Row:
        return row_of({"id": number, "topic": topic, "key": key, "headers": [], "value": b""}, {})

    rows = [row(1, "a", "x"), row(2, "b", "x"), row(3, "a", "y"), row(4, "c", "x"), row(5, "a", "x")]
    parts = parted(rows, {("a", "x"), ("c", None)})
    found = {(tuple(each.id for each in part.rows), part.places, part.again) for part in parts}
    assert found == {
        ((1, 5), frozenset({("a", "x")}), True),
        ((3,), frozenset({("a", None)}), False),
        ((2,), frozenset({("b", None)}), False),
        ((4,), frozenset({("c", None)}), True),
    }
