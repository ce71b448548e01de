"""Whatever Kafka says, however late, and whoever throws the relay out: per key in order, nothing lost."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg
import pytest
from services.gateway.tests.bus import configured
from services.gateway.tests.delivery.relaying import drained, relaying
from services.gateway.tests.migrated import MigratedDatabase

from clearline.chassis.delivery import Delivery, Extent, Outgoing, Receipt
from clearline.contracts.topics import CONNECTIONS
from gateway import outbox

EVENTS = 100
TAKEN = Receipt(Delivery.ACKNOWLEDGED)
Place = tuple[str, bytes | None]
THROW_OUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = 'clearline-relay' and datname = current_database()"
)


@dataclass
class Weather:
    """Kafka by chance: late, or without an acknowledgement whether it wrote or not. What fails takes its key along."""

    chance: random.Random
    calm: bool = False
    written: dict[Place, list[int]] = field(default_factory=lambda: defaultdict(list))
    under_way: Counter[Place] = field(default_factory=Counter)
    together: int = 0
    """How often events of one key were under way twice at once."""

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        places = {_place(out) for out in outgoing}
        self.together += sum(self.under_way[place] for place in places)
        self.under_way.update(places)
        try:
            await asyncio.sleep(0 if self.calm else self.chance.choice((0, 0, 0.01, 0.1, 0.4, 1.2)))
            failed: dict[Place, Receipt] = {}
            return [self._one(out, failed) for out in outgoing]
        finally:
            self.under_way.subtract(places)

    def _one(self, out: Outgoing, failed: dict[Place, Receipt]) -> Receipt:
        place = _place(out)
        if place in failed:
            return failed[place]
        fails = not self.calm and self.chance.random() < 0.15
        if not fails or self.chance.random() < 0.5:
            self.written[place].append(int(dict(out.record.headers)["ce_sequence"]))
        if fails:
            failed[place] = Receipt(Delivery.UNKNOWN, "by chance", self.chance.choice(list(Extent)))
        return failed.get(place, TAKEN)


def _place(out: Outgoing) -> Place:
    return out.topic.name, out.record.key


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_nor_overtaken(migrated: MigratedDatabase, owner: asyncpg.Connection, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seed, no secret
    kafka, sequences = Weather(chance), Counter[tuple[str, int]]()
    async with relaying(migrated, kafka, CONNECTIONS), relaying(migrated, kafka, CONNECTIONS):  # one of them leads
        for _ in range(EVENTS):
            topic, key = chance.choice("abc"), chance.randrange(4)
            sequences[topic, key] += 1
            event = configured(UUID(int=key), sequences[topic, key])
            await outbox.append(owner, replace(CONNECTIONS, name=topic), event)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.1)
            if chance.random() < 0.1:
                await owner.execute(THROW_OUT)
        kafka.calm = True
        await drained(migrated, within=60)
    assert kafka.together == 0
    for (topic, key), last in sequences.items():
        written = kafka.written[topic, str(UUID(int=key)).encode()]
        assert written[-1] == last, "an older one came last"
        assert list(dict.fromkeys(written)) == list(range(1, last + 1)), "lost, or overtaken by its successor"
