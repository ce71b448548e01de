"""Events to Kafka records and back: CloudEvents 1.0, Kafka binary mode, JSON data.

`to_record` is what the outbox stores and the relay ships untouched; `from_record` says of each bad record why it is
bad, and never costs more than that record.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from clearline.chassis.outcome import DeadReason
from clearline.contracts.event import Event, EventType
from clearline.contracts.topics import Topic

Headers = tuple[tuple[str, bytes], ...]

SPEC_VERSION = b"1.0"
CONTENT_TYPE = b"application/json"
SCHEMA_ROOT = "/docs/events/schemas/"

_encode = msgspec.json.Encoder().encode
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
        "content-type": "application/json",
    }
    headers = tuple((name, text.encode()) for name, text in attributes.items() if text is not None)
    return KafkaRecord(event.key.encode(), _encode(event.data), headers)


def from_record(
    types: Mapping[str, EventType],
    topic: Topic,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
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
    event_type = _event_type(types, attributes)
    return Event(
        id=_uuid(_required(attributes, "ce_id")),
        type=event_type,
        source=_required(attributes, "ce_source"),
        subject=_required(attributes, "ce_subject"),
        time=_time(_required(attributes, "ce_time")),
        key=text_key,
        data=_data(event_type, value),
        correlation_id=_required(attributes, "ce_correlationid"),
        causation_id=attributes.get("ce_causationid"),
        sequence=_sequence(attributes.get("ce_sequence")),
        traceparent=attributes.get("traceparent") or attributes.get("ce_traceparent"),
    )


def decode_key(key: bytes | None) -> str:
    """The record key as text; a record without one has no place in any order."""
    if not key:
        raise MalformedRecord(DeadReason.NO_KEY, "the record has no key")
    return _text("key", key)


def _attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """CloudEvents headers by name. Foreign headers may hold anything; one that contradicts itself is malformed."""
    found: dict[str, str] = {}
    for name, raw in headers:
        lower = name.lower()
        if raw is None or not (lower.startswith("ce_") or lower in {"content-type", "traceparent"}):
            continue
        text = _text(lower, raw)
        if found.setdefault(lower, text) != text:
            raise MalformedRecord(DeadReason.WRONG_SCHEMA, f"header {lower} is there twice with different values")
    return found


def _event_type(types: Mapping[str, EventType], attributes: Mapping[str, str]) -> EventType:
    if _required(attributes, "ce_specversion") != "1.0":
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_specversion is not 1.0")
    if not attributes.get("content-type", "application/json").startswith("application/json"):
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "content-type is not application/json")
    name = _required(attributes, "ce_type")
    if (event_type := types.get(name)) is None:
        raise MalformedRecord(DeadReason.UNKNOWN_TYPE, f"no consumer here knows the type {name[:100]!r}")
    return event_type


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
    except UnicodeDecodeError:
        raise MalformedRecord(DeadReason.NOT_UTF8, "the value is not UTF-8") from None


def _text(what: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedRecord(DeadReason.NOT_UTF8, f"{what} is not UTF-8") from None


def _required(attributes: Mapping[str, str], name: str) -> str:
    if not (text := attributes.get(name)):
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, f"header {name} is missing")
    return text


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_id is not a UUID") from None


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_time is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_time has no offset from UTC")
    return moment.astimezone(UTC)


def _sequence(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - fits a signed 64-bit integer
        raise MalformedRecord(DeadReason.WRONG_SCHEMA, "ce_sequence is not a whole number")
    return int(text)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
