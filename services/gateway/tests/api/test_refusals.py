"""What a refusal leaves in the log: why, under its correlation id, and no flood."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from clearline.catalogue import ClearlineError, FieldError, load
from clearline.chassis import correlation
from gateway.api.refusals import PER_CODE, PERIOD_SECONDS, Refusals
from gateway.commands.retire_connection import RetireConnection
from gateway.commands.told import told

Lines = list[Any]


@pytest.fixture
def lines() -> Iterator[Lines]:
    kept = structlog.testing.LogCapture()
    structlog.configure(processors=[kept])
    yield kept.entries
    structlog.reset_defaults()


def test_a_refusal_tells_why_and_no_name_that_was_sent(lines: Lines) -> None:
    refusals = Refusals(load(), lambda: 0.0)
    refusals.tell(ClearlineError("NOT_AUTHENTICATED", why="no such token"), {})
    unknown = FieldError.of("/s3cr3t-canary", "FIELD_UNKNOWN")
    refusals.tell(ClearlineError("VALIDATION_FAILED", pointer=unknown.pointer, errors=[unknown]), {})
    refusals.tell(ClearlineError("UNEXPECTED", why="KeyError"), {})
    assert [(line["code"], line["status"], line["log_level"]) for line in lines] == [
        ("NOT_AUTHENTICATED", 401, "info"),
        ("VALIDATION_FAILED", 422, "info"),
        ("UNEXPECTED", 500, "warning"),
    ]
    assert "no such token" in lines[0]["detail"]
    assert lines[1]["fields"] == ["FIELD_UNKNOWN"]
    assert "canary" not in str(lines)


def test_a_flood_is_counted_and_buries_no_other_code(lines: Lines) -> None:
    now = 0.0
    refusals = Refusals(load(), lambda: now)
    for _ in range(10 * PER_CODE):
        refusals.tell(ClearlineError("NOT_AUTHENTICATED", why="no such token"), {})
    refusals.tell(ClearlineError("MALFORMED_JSON", why="line 1"), {})
    assert len(lines) == PER_CODE + 1
    assert lines[-1]["code"] == "MALFORMED_JSON"
    now = PERIOD_SECONDS
    refusals.tell(ClearlineError("NOT_AUTHENTICATED", why="no such token"), {})
    assert lines[-2]["kept_back"] == 9 * PER_CODE
    assert lines[-1]["code"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(
    ("error", "status"), [(ClearlineError("VERSION_STALE"), "VERSION_STALE"), (KeyError(), "UNEXPECTED")]
)
def test_a_command_that_fails_says_how(lines: Lines, error: Exception, status: str) -> None:
    command = RetireConnection(connection_id="an-id", expected=None)  # type: ignore[arg-type]  # only told
    with correlation.bound("followed"), pytest.raises(type(error)), told(command):
        raise error
    [line] = lines
    assert (line["event"], line["action"], line["connection_id"], line["status"]) == (
        "command",
        "RetireConnection",
        "an-id",
        status,
    )
