"""Events to Kafka records and back: CloudEvents 1.0, Kafka binary mode, JSON data.

`to_record` is what the outbox stores and the relay ships untouched; `from_record` says of each bad record why it is
bad, and never costs more than that record.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from clearline.chassis.outcome import DeadReason
from clearline.contracts.event import Event, EventType
from clearline.contracts.topics import Topic

Headers = tuple[tuple[str, bytes], ...]


SCHEMA_ROOT = "/docs/events/schemas/"
JSON = "application/json"

_encode = msgspec.json.Encoder().encode

_Required = Annotated[str, msgspec.Meta(min_length=1)]
_WholeNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Attributes(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"content_type": "content-type"}):
    """The headers we read, by their names on the wire."""

    ce_specversion: Literal["1.0"]
    ce_id: UUID
    ce_type: _Required
    ce_source: _Required
    ce_subject: _Required
    ce_time: Annotated[datetime, msgspec.Meta(tz=True)]
    ce_correlationid: _Required
    ce_causationid: str | None = None
    ce_sequence: _WholeNumber | None = None
    ce_traceparent: str | None = None
    traceparent: str | None = None
    content_type: str = JSON


_OURS = frozenset(_Attributes.__struct_encode_fields__)
_QUOTED = re.compile(r" '[^']*'")


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """The encoded parts of one record."""

    key: bytes
    value: bytes
    headers: Headers


class MalformedRecord(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """A record that no consumer can read; it belongs to the dead letters."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def to_record(event: Event) -> KafkaRecord:
    """The record of `event`; optional attributes that are None are left out."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": str(event.id),
        "ce_type": event.type.name,
        "ce_source": event.source,
        "ce_subject": event.subject,
        "ce_time": _rfc3339(event.time),
        "ce_dataschema": f"{SCHEMA_ROOT}{event.type.slug}.json",
        "ce_partitionkey": event.key,
        "ce_correlationid": event.correlation_id,
        "ce_causationid": event.causation_id,
        "ce_sequence": None if event.sequence is None else str(event.sequence),
        "ce_traceparent": event.traceparent,  # the distributed tracing extension of CloudEvents
        "traceparent": event.traceparent,  # W3C, where tracers that know no CloudEvents look
        "content-type": JSON,
    }
    headers = tuple((name, text.encode()) for name, text in attributes.items() if text is not None)
    return KafkaRecord(event.key.encode(), _encode(event.data), headers)


def from_record(
    types: Mapping[str, EventType],
    topic: Topic,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> Event | None:
    """The event in a record, or None for a tombstone on a compacted topic. Raises `MalformedRecord`."""
    text_key = decode_key(key)
    if value is None:
        if topic.compacted:
            return None
        raise MalformedRecord(DeadReason.TOMBSTONE, f"a record without a value on {topic.name}, which is not compacted")
    if len(value) > topic.max_bytes:
        raise MalformedRecord(DeadReason.OVERSIZE, f"{len(value)} bytes; {topic.name} takes {topic.max_bytes}")
    attributes = _attributes(headers)
    if (event_type := types.get(attributes.ce_type)) is None:
        raise MalformedRecord(DeadReason.UNKNOWN_TYPE, f"no consumer here knows the type {attributes.ce_type[:100]!r}")
    return Event(
        id=attributes.ce_id,
        type=event_type,
        source=attributes.ce_source,
        subject=attributes.ce_subject,
        time=_utc(attributes.ce_time),
        key=text_key,
        data=_data(event_type, value),
        correlation_id=attributes.ce_correlationid,
        causation_id=attributes.ce_causationid,
        sequence=attributes.ce_sequence,
        traceparent=attributes.traceparent or attributes.ce_traceparent,
    )


def decode_key(key: bytes | None) -> str:
    """The record key as text; a record without one has no place in any order."""
    if not key:
        raise MalformedRecord(DeadReason.NO_KEY, "the record has no key")
    return _text("key", key)


def _attributes(headers: Sequence[tuple[str, bytes | None]]) -> _Attributes:
    """The CloudEvents headers, checked in one go. Foreign headers may hold anything."""
    try:
        found = {name: raw.decode() for name, raw in headers if raw is not None}
    except UnicodeDecodeError:
        found = {}
    try:
        read = msgspec.convert(found if len(found) == len(headers) else _one_by_one(headers), _Attributes, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, f"header: {_QUOTED.sub('', str(error))}") from None
    if not read.content_type.startswith(JSON):  # by hand: a pattern costs as much as all other headers
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, f"header: Expected `{JSON}` - at `$.content-type`")
    return read


def _one_by_one(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """Where one is not UTF-8, empty, or there twice: a header of ours that contradicts itself is malformed."""
    found: dict[str, str] = {}
    for name, raw in headers:
        if raw is None or name not in _OURS:
            continue
        text = _text(f"header {name}", raw)
        if found.setdefault(name, text) != text:
            raise MalformedRecord(DeadReason.WRONG_SCHEMA, f"header {name} is there twice with different values")
    return found


@cache
def _decoder(body: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(body)


def _data(event_type: EventType, value: bytes) -> Any:
    try:
        return _decoder(event_type.body).decode(value)
    except msgspec.ValidationError as error:
        # The offending value may be a secret in the wrong field: only its place is told.
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, _QUOTED.sub("", str(error))) from None
    except msgspec.DecodeError as error:
        _text("value", value)
        raise MalformedRecord(DeadReason.NOT_JSON, str(error)) from None
    except RecursionError:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "the value is nested too deep") from None
    except UnicodeDecodeError:
        raise MalformedRecord(DeadReason.NOT_UTF8, "the value is not UTF-8") from None


def _text(what: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedRecord(DeadReason.NOT_UTF8, f"{what} is not UTF-8") from None


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_time is outside of what a calendar holds") from None


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
