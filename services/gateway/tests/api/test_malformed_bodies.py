"""Whoever writes a body by hand is told what is wrong with it and where, and never what they sent."""

import pytest

from clearline.catalogue import ClearlineError
from gateway.api import strict_json
from gateway.api.problem import problem_of
from gateway.api.strict_json import MAX_DEPTH

CANARY = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a": 1,\n "' + CANARY.encode() + b'" 2}', "Expecting ':' delimiter, line 2, column 18"),
        (b'{"' + CANARY.encode() + b'": 1, "' + CANARY.encode() + b'": 2}', "a name stands twice in one object"),
        (b'{"a": "' + CANARY.encode() + b"\\q" + b'"}', "line 1, column 21"),
        (b'{"a": "' + CANARY.encode() + b'\xff"}', "it is not UTF-8"),
        (b"{" + CANARY.encode(), "line 1, column 2"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "it nests too deeply"),
        (b'{"a": ' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH, "it nests too deeply"),
        (b'{"a": [{"\\udc00": 1}]}', "half of a character"),
    ],
)
def test_the_place_is_told_and_the_value_is_not(body: bytes, told: str) -> None:
    with pytest.raises(ClearlineError) as raised:
        strict_json.parse(body)
    problem = problem_of(raised.value, instance="/", correlation_id="x")
    assert problem["code"] == "MALFORMED_JSON"
    assert told in problem["detail"]
    assert told not in problem["user_message"]
    assert "canary" not in str(problem)


def test_what_only_looks_deep_or_broken_is_read() -> None:
    assert strict_json.parse(b'"' + b"[{" * MAX_DEPTH + b'"') == "[{" * MAX_DEPTH
    assert strict_json.parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert strict_json.parse(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


def test_the_detail_of_any_other_problem_is_its_sentence() -> None:
    problem = problem_of(ClearlineError("STORE_UNAVAILABLE", why="OSError"), instance="/", correlation_id="x")
    assert problem["detail"] == problem["user_message"]
