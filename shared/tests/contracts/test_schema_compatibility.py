"""A change of an event type that breaks somebody is found, and told with type, field and consumers."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearline.contracts.compatibility import breaking_changes
from clearline.contracts.render import breaks, refusals, released_schemas
from clearline.contracts.render_schemas import schema_document, schema_files
from clearline.contracts.topics import TOPICS
from clearline.contracts.verification import FAILED, VERIFIED

ROOT = Path(__file__).parents[3]
RELEASED = json.loads(json.dumps(schema_document(FAILED, TOPICS)))
Document = dict[str, Any]


def test_no_consumer_breaks_by_the_code_as_it_is() -> None:
    released = released_schemas(ROOT)
    assert released, "no released schema was found: the guard would guard nothing"
    assert [str(found) for found in breaks(released, schema_files(TOPICS))] == []


def body(document: Document) -> Document:
    fields: Document = document["$defs"]["VerificationFailed"]
    return fields


def step(document: Document) -> Document:
    fields: Document = document["$defs"]["Step"]
    return fields


def remove_kind(document: Document) -> None:
    del body(document)["properties"]["kind"]
    body(document)["required"].remove("kind")


def rename_steps(document: Document) -> None:
    body(document)["properties"]["rungs"] = body(document)["properties"].pop("steps")
    body(document)["required"] = [name.replace("steps", "rungs") for name in body(document)["required"]]


def add_required(document: Document) -> None:
    body(document)["properties"]["tenant"] = {"type": "string"}
    body(document)["required"].append("tenant")


def require_outcome(document: Document) -> None:
    body(document)["required"].append("outcome")


def make_kind_optional(document: Document) -> None:
    body(document)["required"].remove("kind")


def narrow_status(document: Document) -> None:
    step(document)["properties"]["status"]["enum"].remove("skipped")


def widen_status(document: Document) -> None:
    step(document)["properties"]["status"]["enum"].append("bored")


def refuse_null(document: Document) -> None:
    body(document)["properties"]["revision"] = {"type": "integer"}


def allow_null(document: Document) -> None:
    step(document)["properties"]["duration_ms"] = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def retype(document: Document) -> None:
    step(document)["properties"]["duration_ms"] = {"type": "string"}


def retype_items(document: Document) -> None:
    document["$defs"]["Failure"]["properties"]["remediation"]["items"] = {"type": "integer"}


def unformat(document: Document) -> None:
    body(document)["properties"]["verification_id"]["format"] = "ulid"


def bound(document: Document) -> None:
    body(document)["properties"]["kind"]["maxLength"] = 3


def new_default(document: Document) -> None:
    body(document)["properties"]["outcome"]["default"] = "cancelled"


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        (remove_kind, "kind", "removed"),
        (rename_steps, "steps", "removed or renamed"),
        (rename_steps, "rungs", "became required"),
        (add_required, "tenant", "became required"),
        (require_outcome, "outcome", "became required"),
        (make_kind_optional, "kind", "became optional"),
        (narrow_status, "steps[].status", "lost the value 'skipped'"),
        (widen_status, "steps[].status", "got the value 'bored'"),
        (refuse_null, "revision", "no longer be null"),
        (allow_null, "steps[].duration_ms", "may now be null"),
        (retype, "steps[].duration_ms", "no longer be number"),
        (retype_items, "failure.remediation[]", "no longer be string"),
        (unformat, "verification_id", "format"),
        (bound, "kind", "maxLength"),
        (new_default, "outcome", "default"),
    ],
)
def test_a_break_names_type_field_and_consumer(change: Callable[[Document], None], field: str, says: str) -> None:
    changed = copy.deepcopy(RELEASED)
    change(changed)
    told = [str(found) for found in breaking_changes(RELEASED, changed)]
    named = [text for text in told if text.startswith(f"clearline.connection.verification_failed.v1: {field} ")]
    assert any(says in text and text.endswith("this breaks gateway") for text in named), told


def test_a_removed_type_breaks_those_who_read_it() -> None:
    told = [str(found) for found in breaking_changes(RELEASED, None)]
    assert told == ["clearline.connection.verification_failed.v1: the type was removed; this breaks gateway"]


def test_an_optional_field_and_other_words_break_nobody() -> None:
    changed = copy.deepcopy(RELEASED)
    body(changed)["properties"]["note"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    step(changed)["properties"]["attempt"] = {"$ref": "#/$defs/Attempt", "default": None}
    changed["$defs"]["Attempt"] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    changed["description"] = body(changed)["description"] = "Said better."
    body(changed)["required"].reverse()
    assert breaking_changes(RELEASED, changed) == []


def test_a_definition_that_holds_itself_is_walked_once() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}, "required": []}
    old = {"title": "t", "$ref": "#/$defs/T", "$defs": {"T": tree}}
    new = copy.deepcopy(old)
    assert breaking_changes(old, new) == []
    new["$defs"]["T"]["properties"]["next"] = {"type": "string"}  # type: ignore[index]  # plain data
    assert [found.field for found in breaking_changes(old, new)] == ["next", "next"]


def test_rendering_refuses_a_break_until_it_is_accepted(tmp_path: Path) -> None:
    path = f"docs/events/schemas/{VERIFIED.slug}.json"
    older = json.loads(released_schemas(ROOT)[path])
    older["$defs"]["Verified"]["properties"]["duration_ms"] = {"type": "number"}
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(older))
    refused = refusals(tmp_path, [])
    assert refused == [f"{VERIFIED.name}: duration_ms was removed or renamed; this breaks gateway"]
    assert refusals(tmp_path, [VERIFIED.name]) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    kind: str\n    steps:", "    steps:", "verified.v1: kind was removed or renamed; this breaks gateway"),
        (
            "    requested_by: str",
            "    requested_by: int",
            "verification_requested.v1: requested_by may no longer be string",
        ),
        ("    requested_by: str", "    asked_by: str", "requested_by was removed or renamed; this breaks verifier"),
    ],
)
def test_the_command_refuses_a_copy_of_the_code_that_breaks_a_consumer(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    shutil.copytree(ROOT / "shared/src", tmp_path / "shared/src")
    shutil.copytree(ROOT / "docs/events", tmp_path / "docs/events")
    source = tmp_path / "shared/src/clearline/contracts/verification.py"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    done = subprocess.run(
        [sys.executable, "-m", "clearline.contracts.render", "--check"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "shared/src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr
