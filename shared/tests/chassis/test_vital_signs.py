"""What counts as a stuck client and what does not, decided without one."""

from dataclasses import replace
from typing import Any

import pytest

from clearline.chassis.consumption import Partition
from clearline.chassis.vital_signs import Ailment, Reach, Signs, Unfetched, ailment_of

WELL = Signs(
    session=10,
    client_runs=True,
    heart_stopped_for=0,
    unassigned_for=0,
    commit_age=3,
    poll_age=0.2,
    unfetched_for=0,
)
A, B = Partition("t", 0), Partition("t", 1)


def test_a_member_that_moves_is_left_alone() -> None:
    assert ailment_of(WELL) is None


@pytest.mark.parametrize(
    ("sign", "still_well", "too_long", "ailment"),
    [
        ("client_runs", True, False, Ailment.CLIENT_ENDED),
        ("heart_stopped_for", 20, 21, Ailment.NO_HEARTBEAT),
        ("commit_age", 30, 31, Ailment.NO_COMMIT),
        ("unfetched_for", 30, 31, Ailment.NOTHING_FETCHED),
        ("unassigned_for", 60, 61, Ailment.NO_ASSIGNMENT),
        ("poll_age", 60, 61, Ailment.NO_POLL),
    ],
)
def test_each_sign_alone_is_enough_and_not_too_soon(
    sign: str, still_well: Any, too_long: Any, ailment: Ailment
) -> None:
    assert ailment_of(replace(WELL, **{sign: still_well})) is None
    assert ailment_of(replace(WELL, **{sign: too_long})) is ailment


def test_what_the_broker_has_and_nobody_fetches_is_told_from_the_first_look() -> None:
    watch = Unfetched()
    watch.look({A: Reach(5, 9), B: Reach(7, 7)}, now=100)
    watch.look({A: Reach(5, 12), B: Reach(7, 7)}, now=105)
    assert watch.seconds(106) == 6


def test_a_step_forward_counts_anew_and_what_is_paused_or_given_away_is_forgotten() -> None:
    watch = Unfetched()
    watch.look({A: Reach(5, 9), B: Reach(1, 9)}, now=100)
    watch.look({A: Reach(6, 9)}, now=110)
    assert watch.seconds(112) == 2
    watch.look({A: Reach(9, 9)}, now=120)
    assert watch.seconds(130) == 0
