"""docs/events/asyncapi.yaml has the structure of AsyncAPI 3.0.0, whole references, and says what the records say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearline.contracts.examples import example_texts, examples_by_type
from clearline.contracts.render import rendered
from clearline.contracts.render_asyncapi import asyncapi
from clearline.contracts.render_yaml import to_yaml
from clearline.contracts.topics import TOPICS, Topic, types_by_name

ROOT = Path(__file__).parents[3]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs/events/asyncapi.yaml").read_text())

# What the specification allows in each object that we use, and what it demands.
OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    "": (
        {"asyncapi", "info", "id", "servers", "defaultContentType", "channels", "operations", "components"},
        {"asyncapi", "info"},
    ),
    "info": (
        {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
        {"title", "version"},
    ),
    "servers/*": (
        {"host", "protocol", "protocolVersion", "pathname", "description", "title", "summary", "variables"}
        | {"security", "tags", "externalDocs", "bindings"},
        {"host", "protocol"},
    ),
    "servers/*/variables/*": ({"enum", "default", "description", "examples"}, set()),
    "channels/*": (
        {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags"}
        | {"externalDocs", "bindings"},
        set(),
    ),
    "channels/*/bindings/kafka": (
        {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"},
        set(),
    ),
    "channels/*/bindings/kafka/topicConfiguration": (
        {"cleanup.policy", "retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes"},
        set(),
    ),
    "operations/*": (
        {"action", "channel", "title", "summary", "description", "security", "tags", "externalDocs"}
        | {"bindings", "traits", "messages", "reply"},
        {"action", "channel"},
    ),
    "components": ({"schemas", "servers", "channels", "operations", "messages", "parameters"}, set()),
    "components/messages/*": (
        {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description"}
        | {"tags", "externalDocs", "bindings", "examples", "traits"},
        set(),
    ),
    "components/messages/*/correlationId": ({"location", "description"}, {"location"}),
    "components/messages/*/bindings/kafka": (
        {"key", "schemaIdLocation", "schemaIdPayloadEncoding", "schemaLookupStrategy", "bindingVersion"},
        set(),
    ),
    "components/messages/*/examples/*": ({"headers", "payload", "name", "summary"}, set()),
}


def at(node: Any, pattern: str) -> Iterator[dict[str, Any]]:
    """Objects of the document at a path in which `*` stands for every member."""
    head, _, rest = pattern.partition("/")
    if not head:
        yield node
    elif head == "*":
        for child in node.values() if isinstance(node, dict) else node:
            yield from at(child, rest)
    elif head in node:
        yield from at(node[head], rest)


def violations(document: dict[str, Any]) -> list[str]:
    found = []
    for pattern, (allowed, demanded) in OBJECTS.items():
        for node in at(document, pattern):
            found += [f"{pattern}: {name} is not allowed" for name in node.keys() - allowed]
            found += [f"{pattern}: {name} is missing" for name in demanded - node.keys()]
    found += [f"{ref} leads nowhere" for ref in references(document) if not resolves(document, ref)]
    for name, operation in document["operations"].items():
        channel = operation["channel"]["$ref"]
        if operation["action"] not in {"send", "receive"}:
            found.append(f"{name}: {operation['action']} is no action")
        found += [
            f"{name}: {message['$ref']} is not of its channel"
            for message in operation["messages"]
            if not message["$ref"].startswith(f"{channel}/messages/")
        ]
    return found


def references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(ref)}:
            yield ref
        case dict():
            for child in node.values():
                yield from references(child)
        case list():
            for child in node:
                yield from references(child)


def resolves(document: dict[str, Any], ref: str) -> bool:
    node: Any = document
    for part in ref.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return ref.startswith("#/")


def test_document_has_the_structure_of_the_specification() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert violations(DOCUMENT) == []


def test_violations_would_be_found() -> None:
    broken = yaml.safe_load(to_yaml(DOCUMENT))
    del broken["info"]["title"]
    broken["channels"]["connections"]["subscribe"] = {}
    broken["operations"]["verifier-reads-verification-requests"]["messages"][0]["$ref"] = "#/channels/none/messages/x"
    del broken["components"]["schemas"]["Step"]
    told = "\n".join(violations(broken))
    for expected in ("title is missing", "subscribe is not allowed", "none/messages/x", "schemas/Step leads nowhere"):
        assert expected in told


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_channel_says_what_the_record_says(topic: Topic) -> None:
    name = topic.name.removeprefix("clearline.")
    channel = DOCUMENT["channels"][name]
    kafka = channel["bindings"]["kafka"]
    assert (channel["address"], kafka["partitions"]) == (topic.name, topic.partitions)
    assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
    assert kafka["topicConfiguration"].get("retention.ms") == topic.retention_ms
    assert len(channel["messages"]) == len(topic.types)
    operations = {key for key, value in DOCUMENT["operations"].items() if value["channel"]["$ref"].endswith(f"/{name}")}
    writers = {f"{service}-writes-{name}" for service in topic.producers}
    assert operations == writers | {f"{service}-reads-{name}" for service in topic.consumers}


def test_every_type_is_a_message_with_examples() -> None:
    messages = {message["name"]: message for message in DOCUMENT["components"]["messages"].values()}
    assert set(messages) == set(types_by_name())
    assert all(message["examples"] for message in messages.values())


def test_yaml_reads_back_as_what_was_written() -> None:
    document = asyncapi(TOPICS, examples_by_type(example_texts()))
    assert yaml.safe_load(to_yaml(document)) == json.loads(json.dumps(document))
    tricky = {"on": ["yes", "1", 1, 1.5, None, True, [], {}], "a: b": {"x": "line\nü\u2028 'q' \"d\" # {}"}, "l": [[1]]}
    assert yaml.safe_load(to_yaml(tricky)) == tricky
    with pytest.raises(TypeError):
        to_yaml({"x": object()})


def test_rendered_files_are_current() -> None:
    assert [path for path, text in rendered().items() if (ROOT / path).read_text() != text] == []


def test_topic_page_names_every_topic_and_type() -> None:
    page = rendered()["docs/events/README.md"]
    for topic in TOPICS:
        assert f"`{topic.name}`" in page
        for event_type in topic.types:
            assert f"Wire type `{event_type.name}`" in page


def test_fields_are_described_by_the_words_beside_them() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Failure"]["properties"]["operator_detail"]["description"].startswith("For operators only")
    assert schemas["Envelope"]["properties"]["sealed"]["description"].startswith("Encapsulated key")
    schema = json.loads(rendered()["docs/events/schemas/connection.configured/v1.json"])
    assert schema["$defs"]["ConnectionState"]["properties"]["live"]["description"].startswith("The revision that is")
