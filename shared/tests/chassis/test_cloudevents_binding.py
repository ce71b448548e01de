"""The binding against the CloudEvents SDK in both directions, and what it says of records that nobody can read."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from clearline.chassis.cloudevents import Headers, KafkaRecord, MalformedRecord, from_record, to_record
from clearline.chassis.outcome import DeadReason
from clearline.contracts.event import Body, Event, EventType
from clearline.contracts.topics import Topic


class Reading(Body, frozen=True):
    n: int
    note: str = ""


READ = EventType("clearline.test.read.v1", Reading, "A reading.")
TYPES = {READ.name: READ}
TOPIC = Topic(name="t", purpose="", key="", max_bytes=1_000, producers=(), consumers=(), types=(READ,), partitions=1)
COMPACTED = replace(TOPIC, cleanup="compact")
EVENT = Event(
    id=uuid4(),
    type=READ,
    source="/clearline/test",
    subject="s",
    time=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
    key="the-key",
    data=Reading(n=1, note="héllo"),
    correlation_id="c-1",
    causation_id="cause",
    sequence=7,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def read(record: KafkaRecord, topic: Topic = TOPIC) -> Event | None:
    return from_record(TYPES, topic, record.key, record.value, record.headers)


def changed(**headers: bytes | None) -> Headers:
    new = {name.replace("__", "-"): value for name, value in headers.items()}
    return tuple((n, new.get(n, v)) for n, v in to_record(EVENT).headers if new.get(n, v) is not None)  # type: ignore[misc]


def refused(key: bytes | None, value: bytes | None, headers: Any) -> DeadReason:
    with pytest.raises(MalformedRecord) as caught:
        from_record(TYPES, TOPIC, key, value, headers)
    return caught.value.reason


def test_what_goes_in_comes_out() -> None:
    assert read(to_record(EVENT)) == EVENT
    bare = structs.replace(EVENT, causation_id=None, sequence=None, traceparent=None)
    assert read(to_record(bare)) == bare
    assert len(to_record(bare).headers) == len(to_record(EVENT).headers) - 4


def test_the_sdk_reads_what_we_write() -> None:
    record = to_record(EVENT)
    found = from_binary_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
    assert found.get_id() == str(EVENT.id)
    assert found.get_type() == READ.name
    assert found.get_source() == EVENT.source
    assert found.get_subject() == EVENT.subject
    assert found.get_time() == EVENT.time
    assert found.get_dataschema() == "/docs/events/schemas/test.read/v1.json"
    assert found.get_datacontenttype() == "application/json"
    assert found.get_data() == {"n": 1, "note": "héllo"}
    extensions = {
        name: found.get_extension(name) for name in ("partitionkey", "correlationid", "causationid", "sequence")
    }
    assert extensions == {"partitionkey": "the-key", "correlationid": "c-1", "causationid": "cause", "sequence": "7"}


def test_we_read_what_the_sdk_writes() -> None:
    theirs = CloudEvent(
        attributes={
            "specversion": "1.0",
            "id": str(EVENT.id),
            "type": READ.name,
            "source": EVENT.source,
            "subject": "s",
            "time": EVENT.time.astimezone(timezone(timedelta(hours=2))),
            "datacontenttype": "application/json",
            "partitionkey": "the-key",
            "correlationid": "c-1",
        },
        data={"n": 1, "note": "héllo", "added_by_a_newer_producer": [1]},
    )
    message = to_binary_event(theirs, key_mapper=lambda _: "the-key")
    assert message.key is not None
    key = message.key.encode() if isinstance(message.key, str) else message.key
    ours = from_record(TYPES, TOPIC, key, message.value, tuple(message.headers.items()))
    assert ours == structs.replace(EVENT, causation_id=None, sequence=None, traceparent=None)


GOOD = to_record(EVENT)


@pytest.mark.parametrize(
    ("reason", "key", "value", "headers"),
    [
        (DeadReason.NO_KEY, None, GOOD.value, GOOD.headers),
        (DeadReason.NO_KEY, b"", GOOD.value, GOOD.headers),
        (DeadReason.NOT_UTF8, b"\xff", GOOD.value, GOOD.headers),
        (DeadReason.TOMBSTONE, b"k", None, GOOD.headers),
        (DeadReason.OVERSIZE, b"k", b" " * 1_001, GOOD.headers),
        (DeadReason.NOT_JSON, b"k", b"{", GOOD.headers),
        (DeadReason.NOT_JSON, b"k", b"", GOOD.headers),
        (DeadReason.NOT_JSON, b"k", b'{"n": 1} trailing', GOOD.headers),
        (DeadReason.NOT_UTF8, b"k", b'{"n": 1, "note": "\xff"}', GOOD.headers),
        (DeadReason.WRONG_SCHEMA, b"k", b'{"n": "1"}', GOOD.headers),
        (DeadReason.WRONG_SCHEMA, b"k", b'{"note": "no n"}', GOOD.headers),
        (DeadReason.WRONG_SCHEMA, b"k", b"[]", GOOD.headers),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, ()),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_id=b"not a uuid")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_id=None)),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_correlationid=b"")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_time=b"yesterday")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_time=b"2026-11-22T12:00:00")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_time=b"0001-01-01T00:00:00+23:59")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_sequence=b"-1")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_sequence="٣".encode())),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_sequence=b"9" * 30)),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(ce_specversion=b"0.3")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, changed(content__type=b"text/plain")),
        (DeadReason.WRONG_SCHEMA, b"k", GOOD.value, (*GOOD.headers, ("ce_subject", b"another"))),
        (DeadReason.UNKNOWN_TYPE, b"k", GOOD.value, changed(ce_type=b"clearline.test.read.v2")),
        (DeadReason.NOT_UTF8, b"k", GOOD.value, changed(ce_subject=b"\xc3\x28")),
    ],
)
def test_each_malformation_has_its_reason(
    reason: DeadReason, key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    assert refused(key, value, headers) is reason


def test_a_tombstone_is_gone_only_where_the_topic_is_compacted() -> None:
    assert from_record(TYPES, COMPACTED, b"k", None, ()) is None
    with pytest.raises(MalformedRecord):
        from_record(TYPES, COMPACTED, None, None, ())


def test_foreign_headers_cannot_hurt() -> None:
    foreign = (("x-trace", b"\xff\xfe"), ("empty", None), ("x-trace", b"twice"), ("ce_subject", b"s"))
    assert from_record(TYPES, TOPIC, GOOD.key, GOOD.value, (*GOOD.headers, *foreign)) == EVENT


def test_the_detail_never_quotes_a_value() -> None:
    with pytest.raises(MalformedRecord) as caught:
        from_record(TYPES, TOPIC, b"k", b'{"n": "hunter2"}', GOOD.headers)
    assert "hunter2" not in caught.value.detail
    assert "$.n" in caught.value.detail


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=200) | st.sampled_from([GOOD.value]),
    headers=st.lists(
        st.tuples(
            st.sampled_from([n for n, _ in GOOD.headers]) | st.text(max_size=9), st.none() | st.binary(max_size=60)
        )
        | st.sampled_from(GOOD.headers),
        max_size=20,
    ),
)
def test_whatever_arrives_it_costs_only_itself(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    with contextlib.suppress(MalformedRecord):  # anything else fails the test
        from_record(TYPES, TOPIC, key, value, headers)
