"""Too many dead letters stop a consumer; one dead letter too large is cut rather than stopping its partition."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from clearline.chassis import correlation
from clearline.chassis.clock import SystemClock
from clearline.chassis.dead_letter import DeadLetters, fitted
from clearline.chassis.death_rate import DeathRate, TooManyDead
from clearline.chassis.delivery import RawRecord, record_size
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead, DeadReason
from clearline.contracts.topics import DEAD_LETTERS


def test_one_in_a_hundred_never_stops() -> None:
    rate = DeathRate(alarm_only=False)
    for _ in range(5_000):
        rate.alive(99)
        rate.dead()


def test_more_than_a_fifth_of_the_last_thousand_stops() -> None:
    rate = DeathRate(alarm_only=False)
    rate.alive(10_000)
    for _ in range(200):
        rate.dead()
    with pytest.raises(TooManyDead):
        rate.dead()


def test_old_deaths_are_forgotten() -> None:
    rate = DeathRate(alarm_only=False)
    for _ in range(20):
        for _ in range(150):
            rate.dead()
        rate.alive(1_000)


def test_where_anyone_may_write_it_only_alarms() -> None:
    rate = DeathRate(alarm_only=True)
    for _ in range(2_000):
        rate.dead()


def test_a_letter_that_fits_is_left_alone() -> None:
    letter = RawRecord(b"k", b"value", (("clearline-reason", b"x"),))
    assert fitted(letter, 1_000) is letter


@pytest.mark.parametrize(
    "letter",
    [
        RawRecord(b"k", b"v" * 5_000, (("ce_id", b"x"), ("clearline-reason", b"x"))),
        RawRecord(b"k" * 5_000, b"v" * 5_000, (("ce_id", b"x"), ("clearline-reason", b"x"))),
        RawRecord(b"k", None, (("ce_id", b"x" * 5_000), ("clearline-reason", b"x"))),
    ],
)
def test_a_letter_that_does_not_fit_is_cut_and_says_so(letter: RawRecord) -> None:
    cut = fitted(letter, 2_000)
    assert record_size(cut) <= 2_000
    assert dict(cut.headers)["clearline-truncated"] == str(len(letter.value or b"")).encode()
    assert dict(cut.headers)["clearline-reason"] == b"x"


@dataclass
class Taken:
    """A record as aiokafka hands it out."""

    headers: list[tuple[str, bytes]]
    topic: str = "requests"
    partition: int = 0
    offset: int = 1
    timestamp: int = 0
    key: bytes = b"k"
    value: bytes = b"v"
    written: list[Any] = field(default_factory=list)

    async def publish_encoded(self, letter: RawRecord, _topic: object) -> None:
        self.written.append(letter)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("ce_id", b"x"), ("ce_correlationid", b"followed")], "followed"),
        ([("ce_correlationid", b"\xff" * 500)], "\ufffd" * 64),
        ([], None),
    ],
)
async def test_its_log_line_stands_under_the_correlation_id_of_the_record(
    headers: list[tuple[str, bytes]], found: str | None
) -> None:
    lines: list[str | None] = []

    def look(_logger: object, _method: str, _event: object) -> str:
        lines.append(correlation.current())
        raise structlog.DropEvent

    record: Any = Taken(headers)
    letters = DeadLetters(record, DEAD_LETTERS, "group", Metrics(), SystemClock())
    structlog.configure(processors=[look])
    try:
        await letters.write(record, Dead(DeadReason.WRONG_SCHEMA, "x"))
    finally:
        structlog.reset_defaults()
    assert lines == [found]
    assert len(record.written) == 1
    assert correlation.current() is None
