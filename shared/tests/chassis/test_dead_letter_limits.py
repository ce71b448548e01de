"""Too many dead letters stop a consumer; one dead letter too large is cut rather than stopping its partition."""

import pytest

from clearline.chassis.dead_letter import fitted
from clearline.chassis.death_rate import DeathRate, TooManyDead
from clearline.chassis.delivery import RawRecord, record_size


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
