from uuid import uuid4

import pytest

from verifier.cancels import Cancels


async def test_a_running_one_is_told_and_others_are_not() -> None:
    cancels, one, other = Cancels(), uuid4(), uuid4()
    with cancels.running(one) as first, cancels.running(other) as second:
        cancels.cancel(one)
        assert first.is_set()
        assert not second.is_set()


async def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    cancels, ids = Cancels(remembered=3), [uuid4() for _ in range(5)]
    for one in ids:
        cancels.cancel(one)
    cancelled = []
    for one in ids:
        with cancels.running(one) as event:
            cancelled.append(event.is_set())
    assert cancelled == [False, False, True, True, True]


async def test_a_run_that_is_handed_back_is_cancelled_when_it_begins_again() -> None:
    cancels, one = Cancels(), uuid4()
    with pytest.raises(RuntimeError), cancels.running(one):  # noqa: PT012 - the cancel comes while it runs
        cancels.cancel(one)
        raise RuntimeError
    with cancels.running(one) as event:
        assert event.is_set()
