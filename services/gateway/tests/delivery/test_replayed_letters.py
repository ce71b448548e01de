"""A dead letter that is sent again passes the guards that every event passes: it takes no later word back."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
from services.gateway.tests.bus import kafka_settings, producer
from services.gateway.tests.delivery.test_projection_on_kafka import bus_of, member, pending
from services.gateway.tests.facts import failed, progressed, verified
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.cloudevents import to_record
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.dead_letter_office import DeadLetterOffice
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead, DeadReason
from clearline.contracts.event import Event


class Lost:
    """A fact that a projector gave up."""

    def __init__(self, topic: str, event: Event, offset: int) -> None:
        record = to_record(event)
        self.topic, self.partition, self.offset = topic, 0, offset
        self.timestamp = int(datetime.now(UTC).timestamp() * 1000)
        self.key, self.value, self.headers = record.key, record.value, record.headers


async def test_a_replayed_fact_changes_nothing_that_was_said_later_and_brings_what_was_missing(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    bus, (ended, unheard) = await bus_of(kafka), await pending(owner, 2)
    publisher = producer(kafka)
    letters = DeadLetters(publisher, bus.dead, bus.group, Metrics(), SystemClock())
    lost: list[Any] = [
        Lost(bus.facts.name, event, offset)
        for offset, event in enumerate([failed(ended), progressed(ended, 0), verified(unheard)])
    ]
    for record in lost:
        await letters.write(record, Dead(DeadReason.HANDLER_FAILED, "a defect that is mended by now"))
    office = DeadLetterOffice(kafka_settings(kafka), SystemClock(), dead_letters=bus.dead, topics=[bus.facts])
    async with member(bus, migrated):
        await publisher.publish(verified(ended), bus.facts)
        await until(lambda: outcome(owner, ended, "verified"), within=20)
        before = await state(owner, ended)
        found = await office.find(lambda _: True, limit=10)
        async with office.opened() as scan:
            for letter in found.letters:
                await office.replay(scan, letter, publisher, "test")
        await until(lambda: outcome(owner, unheard, "verified"), within=20)
        await until(lambda: everything_was_projected(owner), within=20)
        assert await state(owner, ended) == before
    replayed = (await office.find(lambda _: True, limit=10)).replayed
    assert set(replayed) == {letter.id for letter in found.letters}
    await publisher.stop()


async def outcome(owner: asyncpg.Connection, verification_id: object, wanted: str) -> bool:
    return bool(await owner.fetchval("select outcome = $2 from verifications where id = $1", verification_id, wanted))


async def everything_was_projected(owner: asyncpg.Connection) -> bool:
    return bool(await owner.fetchval("select coalesce(sum(next_offset), 0) = 4 from positions"))


async def state(owner: asyncpg.Connection, verification_id: object) -> list[tuple[Any, ...]]:
    rows = await owner.fetch("select v::text from verifications v where v.id = $1", verification_id)
    return [tuple(row) for row in rows]
