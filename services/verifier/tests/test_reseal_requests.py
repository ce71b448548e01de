"""Rotation of sealing keys, the verifier's part: what opens is sealed anew for its own first key, and for no other."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from clearline.chassis.outcome import Dead, DeadReason, Done
from clearline.contracts.connection import Envelope
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.reseal import (
    RESEAL_REQUESTED,
    RESEALED,
    Resealed,
    ResealRequested,
    StoredEnvelope,
    envelope_digest,
)
from clearline.probes.sealing import Opener, Sealer, generate_key_pair, key_id

SECRET = "s3cret"
DESTINATION = "postgres://db:5432?tls=require"
CHANGED_AT = datetime(2026, 1, 1, tzinfo=UTC)
OLD_PRIVATE, OLD_PUBLIC = generate_key_pair()
NEW_PRIVATE, NEW_PUBLIC = generate_key_pair()
NEW = key_id(NEW_PUBLIC)


def sealed(public: str, subject: object, field: str = "password") -> StoredEnvelope:
    place = {"subject": str(subject), "kind": "postgres", "field": field, "destination": DESTINATION}
    envelope = Sealer(public).seal(SECRET, **place, now=CHANGED_AT)
    return StoredEnvelope(field=field, destination=DESTINATION, envelope=envelope)


def asked(*envelopes: StoredEnvelope, connection_id: Any, to: str = NEW) -> Event:
    body = ResealRequested(
        reseal_id=uuid4(),
        connection_id=connection_id,
        kind="postgres",
        key_id=to,
        envelopes=envelopes,
        requested_by="test",
    )
    return Event(
        id=uuid4(),
        type=RESEAL_REQUESTED,
        source="/clearline/gateway",
        subject=str(connection_id),
        time=datetime.now(UTC),
        key=str(connection_id),
        data=body,
        correlation_id="correlation-1",
    )


async def told(desk: Any, ask: Any, event: Event, *privates: str) -> Resealed:
    verifier = desk.verifier(opener=Opener(privates or [NEW_PRIVATE, OLD_PRIVATE]))
    assert await verifier.climb_for_request(ask.record(event)) == Done()
    [answer] = desk.answered
    assert (answer.type, answer.key) == (RESEALED, event.key)
    assert answer.id == event_id(event.data.reseal_id, RESEALED.name), "a second run has the same id"
    body: Resealed = answer.data
    return body


async def test_what_opens_is_sealed_for_the_first_key_at_the_same_place(desk: Any, ask: Any) -> None:
    connection_id = uuid4()
    old = sealed(OLD_PUBLIC, connection_id)
    with structlog.testing.capture_logs() as lines:
        answer = await told(desk, ask, asked(old, connection_id=connection_id))
    [renewed] = answer.renewed
    assert (answer.failed, renewed.replaces) == ((), envelope_digest(old.envelope.sealed))
    assert (renewed.envelope.key_id, renewed.envelope.changed_at) == (NEW, CHANGED_AT)
    place = {"subject": str(connection_id), "kind": "postgres", "field": "password", "destination": DESTINATION}
    assert Opener([NEW_PRIVATE]).open(renewed.envelope, **place) == SECRET
    assert SECRET not in repr(lines)


async def test_one_that_does_not_open_is_told_and_the_others_go_on(desk: Any, ask: Any) -> None:
    connection_id = uuid4()
    lost = sealed(generate_key_pair()[1], connection_id, field="token")
    moved = sealed(OLD_PUBLIC, uuid4(), field="api_key")
    good = sealed(OLD_PUBLIC, connection_id)
    answer = await told(desk, ask, asked(lost, moved, good, connection_id=connection_id))
    assert [each.field for each in answer.renewed] == ["password"]
    assert [(each.field, each.key_id, each.code) for each in answer.failed] == [
        ("token", lost.envelope.key_id, "CREDENTIALS_UNREADABLE"),
        ("api_key", moved.envelope.key_id, "CREDENTIALS_UNREADABLE"),
    ]
    assert desk.registry.get_sample_value("clearline_envelopes_resealed_total", {"result": "failed"}) == 2


async def test_it_seals_for_no_key_but_its_own_first_one(desk: Any, ask: Any) -> None:
    """Whoever writes to the topic may name a key of his own, or an old one that was stolen."""
    connection_id, foreign = uuid4(), key_id(generate_key_pair()[1])
    for named in (foreign, key_id(OLD_PUBLIC)):
        desk.answered.clear()
        event = asked(sealed(NEW_PUBLIC, connection_id), connection_id=connection_id, to=named)
        answer = await told(desk, ask, event)
        assert (answer.renewed, [each.code for each in answer.failed]) == ((), ["SEALING_KEY_NOT_FIRST"])


async def test_a_dead_request_is_answered_for_every_envelope(desk: Any, ask: Any) -> None:
    event = asked(sealed(OLD_PUBLIC, "c"), connection_id=uuid4())
    await desk.verifier().fail_dead_request(ask.record(event), Dead(DeadReason.HANDLER_FAILED, "x"))
    [answer] = desk.answered
    assert [each.code for each in answer.data.failed] == ["VERIFIER_FAILED"]


def test_the_digest_names_an_envelope_by_its_outside_only() -> None:
    envelope = Envelope(key_id="k", sealed="abc", changed_at=CHANGED_AT)
    assert envelope_digest(envelope.sealed) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
