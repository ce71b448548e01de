"""The AsyncAPI 3.0.0 document of the bus: channels from the topic records, messages from the event types."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clearline.contracts.event import EventType
from clearline.contracts.render_meanings import with_meanings
from clearline.contracts.render_schemas import ATTRIBUTES, path_of
from clearline.contracts.topics import Topic

VERSION = "1.0.0"
"""Version of the contracts as a whole; types carry their own in their names."""
KAFKA_BINDING = "0.5.0"

Examples = Mapping[str, Mapping[str, Any]]
"""Slug of a type → name of a golden example → its body."""


def asyncapi(topics: Sequence[Topic], examples: Examples) -> dict[str, Any]:
    """The whole document as plain data."""
    types = {event_type.name: event_type for topic in topics for event_type in topic.types}
    bodies = [event_type.body for event_type in types.values()]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Clearline",
            "version": VERSION,
            "description": "What Clearline's services say to each other: CloudEvents 1.0 in Kafka's binary mode.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {_channel_id(topic): _channel(topic) for topic in topics},
        "operations": {name: operation for topic in topics for name, operation in _operations(topic)},
        "components": {
            "messages": {
                _message_id(event_type): _message(event_type, examples.get(event_type.slug, {}))
                for event_type in types.values()
            },
            "schemas": with_meanings(schemas, bodies),
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "variables": {"bootstrap": {"description": "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS", "default": "127.0.0.1:8090"}},
    }


def _channel_id(topic: Topic) -> str:
    return topic.name.removeprefix("clearline.")


def _message_id(event_type: EventType) -> str:
    return event_type.name.removeprefix("clearline.")


def _channel(topic: Topic) -> dict[str, Any]:
    retention = {} if topic.retention_ms is None else {"retention.ms": topic.retention_ms}
    return {
        "address": topic.name,
        "description": topic.purpose,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {
            _message_id(event_type): {"$ref": f"#/components/messages/{_message_id(event_type)}"}
            for event_type in topic.types
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    **retention,
                    "max.message.bytes": topic.max_bytes,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = _channel_id(topic)
    messages = [{"$ref": f"#/channels/{channel}/messages/{_message_id(event_type)}"} for event_type in topic.types]

    def operation(action: str, service: str, verb: str) -> dict[str, Any]:
        summary = f"{service} {verb} {topic.name}."
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "messages": messages,
        }

    sends = [(f"{service}-writes-{channel}", operation("send", service, "writes")) for service in topic.producers]
    receives = [(f"{service}-reads-{channel}", operation("receive", service, "reads")) for service in topic.consumers]
    return sends + receives


def _message(event_type: EventType, examples: Mapping[str, Any]) -> dict[str, Any]:
    body = msgspec.json.schema_components([event_type.body], ref_template="#/components/schemas/{name}")[0][0]
    shown = [{"name": name, "payload": payload} for name, payload in examples.items()]
    return {
        "name": event_type.name,
        "title": event_type.body.__name__,
        "summary": event_type.meaning,
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": _headers(event_type),
        "payload": body,
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDING}},
        **({"examples": shown} if shown else {}),
    }


def _headers(event_type: EventType) -> dict[str, Any]:
    fixed = {"specversion": "1.0", "type": event_type.name, "dataschema": f"/{path_of(event_type)}"}
    properties = {
        f"ce_{name}": {"type": "string", "description": meaning} | ({"const": fixed[name]} if name in fixed else {})
        for name, _, meaning in ATTRIBUTES
    }
    content_type = {"content-type": {"type": "string", "const": "application/json"}}
    required = [f"ce_{name}" for name, always, _ in ATTRIBUTES if always]
    return {"type": "object", "properties": properties | content_type, "required": [*required, "content-type"]}
