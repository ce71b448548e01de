"""The JSON Schema document of an event type: its body, its CloudEvents attributes, and who says it to whom."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from clearline.contracts.event import EventType
from clearline.contracts.render_meanings import with_meanings
from clearline.contracts.topics import Topic

FOLDER = "docs/events/schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

ATTRIBUTES: tuple[tuple[str, bool, str], ...] = (
    ("specversion", True, "`1.0`"),
    ("id", True, "UUID; the same when the same work is done again, so that repeats are recognised"),
    ("type", True, "wire type with its version"),
    ("source", True, "`/clearline/<service>`"),
    ("subject", True, "id of the connection, test, run, incident or group that it is about"),
    ("time", True, "when it happened, UTC"),
    ("dataschema", True, "path of the body's JSON Schema"),
    ("partitionkey", True, "the record key: events of one key stay in order"),
    ("correlationid", True, "one id from the request through everything that it caused"),
    ("causationid", False, "id of the event or command that caused this one"),
    ("sequence", False, "state version on compacted topics; a lower one than seen before is ignored"),
    ("traceparent", False, "W3C trace context of the work that published it"),
)
"""CloudEvents 1.0 attribute, whether it is always there, and its meaning. On Kafka each is a header `ce_<name>`."""


def path_of(event_type: EventType) -> str:
    """Where the schema lies in the repository; `dataschema` names the same path."""
    return f"{FOLDER}/{event_type.slug}.json"


def schema_document(event_type: EventType, topics: Sequence[Topic]) -> dict[str, Any]:
    """The whole document; `x-topics` tells a later reader whom a change would break."""
    carrying = [topic for topic in topics if event_type in topic.types]
    body = msgspec.json.schema(event_type.body)
    return {
        "$schema": DIALECT,
        "$id": f"/{path_of(event_type)}",
        "title": event_type.name,
        "description": event_type.meaning,
        "x-cloudevents": {name: meaning for name, _, meaning in ATTRIBUTES} | {"type": f"`{event_type.name}`"},
        "x-topics": {
            topic.name: {"key": topic.key, "producers": topic.producers, "consumers": topic.consumers}
            for topic in carrying
        },
        **body,
        "$defs": with_meanings(body["$defs"], [event_type.body]),
    }


def to_json(document: object) -> str:
    """JSON as it is committed: readable and the same on every machine."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def schema_files(topics: Sequence[Topic]) -> dict[str, str]:
    """Path → text of every type's schema."""
    types = {event_type.name: event_type for topic in topics for event_type in topic.types}
    return {path_of(event_type): to_json(schema_document(event_type, topics)) for event_type in types.values()}
