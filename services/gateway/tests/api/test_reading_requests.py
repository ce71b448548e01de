"""What is read of a request before anything is done: JSON, preconditions, pydantic's findings. No I/O."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clearline.catalogue import ClearlineError
from gateway.api import strict_json
from gateway.api.connection_requests import CreateConnectionRequest
from gateway.api.faults import fault_of, pointer_of
from gateway.api.openapi import main, rendered
from gateway.api.preconditions import versions_in
from gateway.api.prefer import wait_in

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_good_json_reads_as_what_it_is(value: Any) -> None:
    try:
        raw = json.dumps(value).encode()
        read = strict_json.parse(raw)
    except ClearlineError:
        assert not _encodable(value)
    else:
        assert read == value


@given(st.binary(max_size=300))
def test_noise_is_read_or_refused_and_never_breaks(raw: bytes) -> None:
    refusals = []
    try:
        strict_json.parse(raw)
    except ClearlineError as error:
        refusals.append(error.code)
    assert refusals in ([], ["MALFORMED_JSON"])


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        ("*", None),
        ('"3"', {"3"}),
        ('"1", "2"', {"1", "2"}),
        ('W/"3"', set()),
        ('W/"3", "4"', {"4"}),
        ("3", set()),
        ('"3', set()),
        ("", set()),
    ],
)
def test_if_match_names_versions(header: str, versions: set[str] | None) -> None:
    assert versions_in(header) == (None if versions is None else frozenset(versions))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, wait=7", 7),
        ("wait = 9 ; x", 9),
        ("WAIT=100", 30),
        ("wait=-1", 0),
        ("await=5", 0),
    ],
)
def test_prefer_says_how_long_to_wait(header: str, seconds: int) -> None:
    assert wait_in(header) == seconds


def test_every_finding_has_its_pointer_and_never_its_value() -> None:
    raw = {
        "name": 5,
        "environment": "moon-canary",
        "kind": "k" * 64,
        "canary": 1,
        "beat": {"interval_seconds": "canary"},
    }
    with pytest.raises(ValidationError) as found:
        CreateConnectionRequest.model_validate(raw)
    details = [{**each, "loc": ("body", *each["loc"])} for each in found.value.errors()]
    error = fault_of(details)
    assert {(each.pointer, each.code) for each in error.errors} == {
        ("/name", "FIELD_TYPE"),
        ("/environment", "ENVIRONMENT_UNKNOWN"),
        ("/kind", "FIELD_TOO_LONG"),
        ("/config", "FIELD_REQUIRED"),
        ("/canary", "FIELD_UNKNOWN"),
        ("/beat/interval_seconds", "FIELD_TYPE"),
    }
    assert "canary" not in " ".join(each.detail for each in error.errors)


def test_a_name_that_somebody_sent_is_cleaned_before_it_is_said_back() -> None:
    assert pointer_of(("body", "a/b~c")) == "/a~1b~0c"
    assert pointer_of(("body", "x\n\u202e" + "y" * 100)) == "/x??" + "y" * 61
    assert pointer_of(("query", "limit")) == "/query/limit"


def test_the_kept_description_is_current(tmp_path: Any) -> None:
    assert main(["--check"], Path(__file__).parents[4]) == 0
    assert main(["--check"], tmp_path) == 1, "a guard that cannot fail is none"
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_every_operation_can_be_generated_from_the_description() -> None:
    document = json.loads(rendered())
    assert document["openapi"].startswith("3.1")
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}, (method, path)
            assert operation["security"] == [{"token": []}], (method, path)
            good = [status for status in operation["responses"] if status.startswith("2")]
            assert len(good) == 1, (method, path)
    assert len(names) == len(set(names))
    assert "422" not in json.dumps(document["paths"]), "validation errors are problems too"
    _references_resolve(document, document)


def _references_resolve(document: Any, node: Any) -> None:
    match node:
        case {"$ref": str(reference)}:
            name = reference.removeprefix("#/components/schemas/")
            assert name in document["components"]["schemas"], reference
        case dict():
            for inner in node.values():
                _references_resolve(document, inner)
        case list():
            for inner in node:
                _references_resolve(document, inner)


def _encodable(value: Any) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True
