"""Golden examples are read and written as they always were, and nobody edits them."""

import json
from typing import Any

import msgspec
import pytest

from clearline.contracts.event import Body, EventType
from clearline.contracts.examples import (
    digest_list,
    digest_of,
    example_texts,
    examples_by_type,
    recorded_digests,
    thawed,
)
from clearline.contracts.topics import types_by_name

TEXTS = example_texts()
TYPES = {event_type.slug: event_type for event_type in types_by_name().values()}
BODIES = sorted({event_type.body for event_type in TYPES.values()}, key=lambda body: body.__name__)


def kept(written: Any, read: Any) -> bool:
    """Whether everything that stands in `written` stands in `read` too; `read` may add defaults."""
    match written, read:
        case dict(), dict():
            return all(name in read and kept(value, read[name]) for name, value in written.items())
        case list(), list():
            return len(written) == len(read) and all(kept(*pair) for pair in zip(written, read, strict=True))
        case _:
            return type(written) is type(read) and bool(written == read)


@pytest.mark.parametrize("path", TEXTS)
def test_example_decodes_and_encodes_to_itself(path: str) -> None:
    body = TYPES[path.rpartition("/")[0]].body
    decoded = msgspec.json.decode(TEXTS[path], type=body)
    encoded = msgspec.json.encode(decoded)
    assert msgspec.json.decode(encoded, type=body) == decoded
    assert kept(json.loads(TEXTS[path]), json.loads(encoded))


@pytest.mark.parametrize("path", TEXTS)
def test_an_unknown_field_of_a_newer_producer_is_ignored(path: str) -> None:
    body = TYPES[path.rpartition("/")[0]].body
    newer = json.loads(TEXTS[path]) | {"field_of_tomorrow": {"a": [1]}}
    assert msgspec.json.decode(json.dumps(newer), type=body) == msgspec.json.decode(TEXTS[path], type=body)


@pytest.mark.parametrize("event_type", TYPES.values(), ids=TYPES)
def test_every_type_has_examples(event_type: EventType) -> None:
    assert len(examples_by_type(TEXTS).get(event_type.slug, {})) >= 2


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_examples_show_every_field_and_leave_out_every_optional_one(body: type[Body]) -> None:
    slugs = [slug for slug, event_type in TYPES.items() if event_type.body is body]
    shown = [example for slug in slugs for example in examples_by_type(TEXTS)[slug].values()]
    for field in msgspec.structs.fields(body):
        assert any(field.name in example for example in shown), f"no example shows {field.name}"
        if not field.required:
            assert any(field.name not in example for example in shown), f"no example leaves out {field.name}"


def test_no_example_is_an_orphan_and_none_was_edited() -> None:
    assert {path.rpartition("/")[0] for path in TEXTS} == set(TYPES)
    assert set(recorded_digests()) == set(TEXTS)
    assert thawed(recorded_digests(), TEXTS) == []


def test_an_edited_or_deleted_example_would_be_found_and_keeps_its_digest() -> None:
    path, *_ = TEXTS
    edited = {**TEXTS, path: TEXTS[path].replace("warehouse", "store")}
    without = {name: text for name, text in TEXTS.items() if name != path}
    assert thawed(recorded_digests(), edited) == [path]
    assert thawed(recorded_digests(), without) == [path]
    assert digest_list(recorded_digests(), edited) == digest_list(recorded_digests(), TEXTS)
    assert digest_of("x") in digest_list(recorded_digests(), {**TEXTS, "new/v1/a.json": "x"})
