"""A rotation between clock, outbox and projection: what is asked for, what is set, and that an edit in between wins."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_revision
from services.gateway.tests.projections.projecting import projecting

from clearline.contracts.connection import Envelope
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.reseal import (
    RESEALED,
    RenewedEnvelope,
    Resealed,
    ResealRequested,
    UnrenewedEnvelope,
    envelope_digest,
)
from gateway import rotation
from gateway.rotation import RotationDuties

OLD, NEW = "k1", "k2"
Duty = Callable[[asyncpg.Connection, datetime], Awaitable[int]]


async def begin(owner: asyncpg.Connection, key_id: str = NEW) -> UUID:
    rotation_id = uuid4()
    await owner.execute("update key_rotations set asked_at = now() where asked_at is null")
    await owner.execute(
        "insert into key_rotations (id, key_id, correlation_id, requested_at, requested_by) "
        "values ($1, $2, 'corr-rotation', clock_timestamp(), 'admin#1')",
        *(rotation_id, key_id),
    )
    return rotation_id


async def turn(migrated: MigratedDatabase, duty: Duty, later: timedelta = timedelta(0)) -> int:
    """One transaction of the clock."""
    async with migrated.connect("clearline_relay") as relay, relay.transaction():
        return await duty(relay, datetime.now(UTC) + later)


async def requests(owner: asyncpg.Connection) -> list[ResealRequested]:
    rows = await owner.fetch("select value from outbox where topic = 'clearline.verification-requests' order by id")
    return [msgspec.json.decode(row["value"], type=ResealRequested) for row in rows]


async def stored(owner: asyncpg.Connection) -> list[tuple[int, str, str]]:
    rows = await owner.fetch("select revision, key_id, sealed from connection_credentials order by revision, field")
    return [tuple(row) for row in rows]


def answer(
    request: ResealRequested, *, key_id: str = NEW, failed: Sequence[UnrenewedEnvelope] = (), **changed: Any
) -> Event:
    renewed = tuple(
        RenewedEnvelope(
            field=each.field,
            replaces=envelope_digest(each.envelope.sealed),
            envelope=Envelope(key_id=key_id, sealed="renewed", changed_at=each.envelope.changed_at),
        )
        for each in (request.envelopes if not failed else ())
    )
    made = {"reseal_id": request.reseal_id, "connection_id": request.connection_id, "key_id": key_id}
    body = Resealed(**{**made, "renewed": renewed, "failed": tuple(failed), **changed})
    return Event(
        id=event_id(request.reseal_id, RESEALED.name),
        type=RESEALED,
        source="/clearline/verifier",
        subject=str(request.connection_id),
        time=datetime.now(UTC),
        key=str(request.connection_id),
        data=body,
        correlation_id="corr-rotation",
    )


async def asked(migrated: MigratedDatabase, owner: asyncpg.Connection) -> ResealRequested:
    await begin(owner)
    assert await turn(migrated, RotationDuties().ask_for_reseals) == 1
    return (await requests(owner))[-1]


async def test_every_connection_is_asked_for_once_and_copies_share_a_request(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    first, second = await add_connection(owner), await add_connection(owner)
    await add_revision(owner, first, 2)  # kept its secret: the same envelope
    rotation_id, duties = await begin(owner), RotationDuties()
    assert await turn(migrated, duties.ask_for_reseals) == 2
    assert await turn(migrated, duties.ask_for_reseals) == 0
    found = await requests(owner)
    assert {each.connection_id for each in found} == {first, second}
    assert {len(each.envelopes) for each in found} == {1}
    assert found[0].envelopes[0].destination == "tcp://127.0.0.1:1"
    assert await owner.fetchval("select asked_at is not null from key_rotations where id = $1", rotation_id)


async def test_no_more_is_under_way_than_the_verifier_can_take(
    migrated: MigratedDatabase, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "MOST_UNDER_WAY", 2)
    for _ in range(3):
        await add_connection(owner)
    await begin(owner)
    duties = RotationDuties()
    assert [await turn(migrated, duties.ask_for_reseals) for _ in range(2)] == [2, 0]
    async with projecting(migrated) as member:
        await member.take(answer((await requests(owner))[0]))
    assert [await turn(migrated, duties.ask_for_reseals) for _ in range(2)] == [1, 0]


async def test_an_answer_replaces_every_copy_raises_the_sequence_and_is_told(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    await add_revision(owner, connection_id, 2)
    changed_at = await owner.fetchval("select changed_at from connection_credentials where revision = 1")
    event = answer(await asked(migrated, owner))
    async with projecting(migrated) as member:
        await member.take(event, event)
        ended_at = await owner.fetchval("select completed_at from reseals")
        await member.take(event)
        assert await owner.fetchval("select completed_at from reseals") == ended_at, "a repeat ended it anew"
        assert member.count("clearline_projection_repeats_total") == 2
    assert await stored(owner) == [(1, NEW, "renewed"), (2, NEW, "renewed")]
    assert await owner.fetchval("select changed_at from connection_credentials where revision = 1") == changed_at
    assert await owner.fetchval("select sequence from service_connection_profiles") == 2
    told = await owner.fetch("select headers, value from outbox where topic = 'clearline.connections'")
    assert [dict(row["headers"])["ce_sequence"] for row in told] == ["2"]
    assert msgspec.json.decode(told[0]["value"])["newest"]["envelopes"]["password"]["sealed"] == "renewed"
    [entry] = await owner.fetch("select principal, action, after from audit")
    assert tuple(entry) == ("admin#1", "connection.resealed", {"key_id": NEW, "fields": ["password"]})
    assert await owner.fetchval("select outcome from reseals") == "resealed"


async def test_an_edit_in_between_wins(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    await add_connection(owner)
    event = answer(await asked(migrated, owner))
    await owner.execute("update connection_credentials set sealed = 'entered anew'")
    async with projecting(migrated) as member:
        await member.take(event)
    assert await stored(owner) == [(1, OLD, "entered anew")]
    assert await owner.fetchval("select sequence from service_connection_profiles") == 1
    assert await owner.fetchval("select count(*) from outbox where topic = 'clearline.connections'") == 0


@pytest.mark.parametrize("wrong", [{"connection_id": uuid4()}, {"reseal_id": uuid4()}, {"key_id": "k3"}])
async def test_an_answer_to_nothing_that_was_asked_changes_nothing(
    migrated: MigratedDatabase, owner: asyncpg.Connection, wrong: dict[str, Any]
) -> None:
    await add_connection(owner)
    event = answer(await asked(migrated, owner), **wrong)
    async with projecting(migrated) as member:
        await member.take(event)
        assert member.count("clearline_projection_unknown_total", projection="reseals") == 1
    assert await stored(owner) == [(1, OLD, "sealed")]


async def test_a_lost_key_is_told_once_and_never_asked_for_by_itself_again(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id = await add_connection(owner)
    lost = UnrenewedEnvelope(field="password", key_id=OLD, code="CREDENTIALS_UNREADABLE", operator_detail="no such key")
    event = answer(await asked(migrated, owner), failed=(lost,))
    async with projecting(migrated) as member:
        await member.take(event)
    assert await turn(migrated, RotationDuties().ask_for_reseals) == 0
    assert await turn(migrated, RotationDuties().ask_for_reseals) == 0
    assert await owner.fetchval("select outcome from reseals") == "failed"
    assert await owner.fetchval("select unreadable from sealing_key_census() where key_id = $1", OLD) == 1
    await begin(owner)
    assert await turn(migrated, RotationDuties().ask_for_reseals) == 1, "a person's next rotation tries again"
    assert [each.connection_id for each in await requests(owner)] == [connection_id] * 2


async def test_a_request_that_nobody_answers_ends_and_a_late_answer_still_counts(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_connection(owner)
    request = await asked(migrated, owner)
    assert await turn(migrated, RotationDuties().end_unanswered_reseals) == 0
    late = rotation.UNANSWERED + timedelta(seconds=5)
    assert await turn(migrated, RotationDuties().end_unanswered_reseals, late) == 1
    assert (await owner.fetchval("select failure from reseals"))["code"] == "RESEAL_OVERDUE"
    async with projecting(migrated) as member:
        await member.take(answer(request))
    assert await stored(owner) == [(1, NEW, "renewed")]
    assert await owner.fetchval("select outcome from reseals") == "resealed"


async def test_a_retired_connections_answer_brings_nothing_back(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await add_connection(owner)
    event = answer(await asked(migrated, owner))
    await owner.execute("update service_connection_profiles set lifecycle = 'retired', retired_at = now()")
    await owner.execute("delete from connection_credentials")
    async with projecting(migrated) as member:
        await member.take(event)
    assert await stored(owner) == []
    assert await owner.fetchval("select sequence from service_connection_profiles") == 1


async def test_the_clock_remembers_until_when_a_key_was_named(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    duties = RotationDuties()
    assert await turn(migrated, duties.note_named_keys) == 0
    await add_connection(owner)
    assert [await turn(migrated, duties.note_named_keys) for _ in range(2)] == [1, 0]
    assert await turn(migrated, duties.note_named_keys, timedelta(minutes=2)) == 1
    await owner.execute("update connection_credentials set key_id = $1", NEW)
    assert await turn(migrated, duties.note_named_keys, timedelta(minutes=4)) == 1
    rows = await owner.fetch("select key_id, last_named_at - first_named_at from sealing_keys order by key_id")
    assert [(row[0], round(row[1].total_seconds() / 60)) for row in rows] == [(OLD, 2), (NEW, 0)]
    sealing = RotationDuties(current_key=OLD)  # a gateway that seals for it still, unsaved tests for example
    assert await turn(migrated, sealing.note_named_keys, timedelta(minutes=6)) == 2
    kept = "select last_named_at - first_named_at from sealing_keys where key_id = $1"
    assert round((await owner.fetchval(kept, OLD)).total_seconds() / 60) == 6
