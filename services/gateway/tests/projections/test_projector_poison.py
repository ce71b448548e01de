"""A guilty fact in a batch: the rest has its effect, and the guilty is given up before anything passes it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification
from services.gateway.tests.projections.projecting import batch, projecting
from services.gateway.tests.projections.undecidable import REFUSE, Undecidable

from clearline.chassis.consumption import Batch, Received
from clearline.chassis.death_rate import TooManyDead
from clearline.contracts.event import Event
from clearline.contracts.topics import VERIFICATIONS
from gateway.projections.unfit import Unfit
from gateway.projector import MANY


@pytest.fixture
def undecidable(monkeypatch: pytest.MonkeyPatch) -> Undecidable:
    return Undecidable(monkeypatch)


class Given:
    """What was given up, and where the position stood in that moment, as others see it."""

    def __init__(self, owner: asyncpg.Connection, *, refuses: bool = False) -> None:
        self._owner = owner
        self._refuses = refuses
        self.events: list[Event] = []
        self.positions: set[int | None] = set()

    async def up(self, received: Received, why: BaseException) -> None:
        assert isinstance(why, KeyError | asyncpg.CheckViolationError)
        assert received.event is not None
        self.events.append(received.event)
        self.positions.add(await self._owner.fetchval("select next_offset from positions"))
        if self._refuses:
            raise TooManyDead

    def batch(self, events: Sequence[Event]) -> Batch:
        return replace(batch(events, VERIFICATIONS.name, 0), give_up=self.up)


async def waiting(owner: asyncpg.Connection, count: int, by: str = "test") -> list[UUID]:
    ids = [await add_verification(owner, await add_connection(owner)) for _ in range(count)]
    await owner.execute("update verifications set requested_by = $1 where id = any ($2::uuid[])", by, ids)
    return ids


def told(ids: Sequence[UUID]) -> list[Event]:
    return [fact for each in ids for fact in (progressed(each, 0), progressed(each, 1), verified(each))]


async def ended(owner: asyncpg.Connection) -> set[UUID]:
    return {row["id"] for row in await owner.fetch("select id from verifications where outcome = 'verified'")}


async def test_a_fact_that_cannot_be_decided_is_named_and_the_rest_goes_on(
    migrated: MigratedDatabase, owner: asyncpg.Connection, undecidable: Undecidable
) -> None:
    ids, given = await waiting(owner, 5), Given(owner)
    events = told(ids)
    undecidable.facts = [events[4], events[8]]  # a step of the second, the end of the third
    async with projecting(migrated) as member:
        await member.projector.handle(given.batch(events))
    assert given.events == undecidable.facts
    assert given.positions == {None}
    assert await ended(owner) == {*ids[:2], *ids[3:]}
    assert list(await owner.fetchval("select steps from verifications where id = $1", ids[2])) == ["0", "1"]
    assert await owner.fetchval("select next_offset from positions") == len(events)


@pytest.mark.parametrize("seed", range(4))
async def test_what_the_database_refuses_is_found_among_all(
    migrated: MigratedDatabase, owner: asyncpg.Connection, undecidable: Undecidable, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seed, no secret
    good, refused, given = await waiting(owner, 20), await waiting(owner, 2, "poison"), Given(owner)
    await owner.execute(REFUSE)
    facts = [told([each]) for each in (*good, *refused)]
    events = [  # mixed, each verification's in their order
        facts[at].pop(0) for at in chance.sample([at for at in range(len(facts)) for _ in range(3)], 3 * len(facts))
    ]
    undecidable.facts = [chance.choice([event for event in events if event.data.verification_id in good[:10]])]
    async with projecting(migrated) as member:
        await member.projector.handle(given.batch(events))
    guilty = [event for event in events if event.data.verification_id in refused]
    assert sorted(map(id, given.events)) == sorted(map(id, guilty + undecidable.facts))
    assert given.positions == {None}
    spared = {*good} - {
        event.data.verification_id for event in undecidable.facts if event.type.name.endswith("verified.v1")
    }
    assert await ended(owner) == spared
    assert await owner.fetchval("select next_offset from positions") == len(events)


async def test_nothing_stays_where_a_record_may_not_be_given_up(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    """All pieces are one transaction."""
    good, refused, given = await waiting(owner, 4), await waiting(owner, 1, "poison"), Given(owner, refuses=True)
    await owner.execute(REFUSE)
    async with projecting(migrated) as member:
        with pytest.raises(TooManyDead):
            await member.projector.handle(given.batch(told([*good, *refused])))
    assert await ended(owner) == set()
    assert await owner.fetchval("select count(*) from positions") == 0


async def test_what_may_heal_is_nobodys_guilt(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    """A row in the way may go: the consumer tries it again, by its own rules."""
    good, refused, given = await waiting(owner, 2), await waiting(owner, 1, "poison"), Given(owner)
    await owner.execute(REFUSE.replace("check_violation", "unique_violation"))
    async with projecting(migrated) as member:
        with pytest.raises(asyncpg.UniqueViolationError):
            await member.projector.handle(given.batch(told([*good, *refused])))
    assert given.events == []
    assert await ended(owner) == set()


@pytest.mark.parametrize("by", ["the decision", "the database"])
async def test_many_guilty_are_left_to_smaller_transactions(
    migrated: MigratedDatabase, owner: asyncpg.Connection, undecidable: Undecidable, by: str
) -> None:
    """Else a batch with more of them than may be dead-lettered would never pass, restart or not."""
    good, bad, given = await waiting(owner, 2), await waiting(owner, MANY + 1, "poison"), Given(owner)
    events = [verified(each) for each in (*bad, *good)]
    if by == "the database":
        await owner.execute(REFUSE)
    else:
        undecidable.facts = events[: len(bad)]
    async with projecting(migrated) as member:
        with pytest.raises((Unfit, asyncpg.CheckViolationError)):
            await member.projector.handle(given.batch(events))
        assert len(given.events) <= MANY
        assert await owner.fetchval("select count(*) from positions") == 0
        await member.projector.handle(given.batch(events[1:]))
    assert await ended(owner) == {*good}
