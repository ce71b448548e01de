"""Buckets: what is allowed in a minute, what is told about waiting, and that nobody can make them grow."""

import sys
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearline.catalogue import ClearlineError
from gateway.security.addresses import counted_address, networks
from gateway.security.limits import MAX_KNOWN, Allowances, Limits
from gateway.security.rate_limit import MAX_KEYS, Meter, Quota
from gateway.security.tokens import new_token


class Time:
    """Monotonic seconds by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_come_at_once_and_then_comes_back_evenly() -> None:
    time = Time()
    meter = Meter(Quota("commands", 600), time)
    verdicts = [meter.take("a") for _ in range(600)]
    assert all(verdict.allowed for verdict in verdicts)
    assert [verdict.left for verdict in verdicts[:2]] == [599, 598]
    assert verdicts[-1].left == 0
    refused = meter.take("a")
    assert not refused.allowed
    assert refused.retry_after == pytest.approx(0.1)
    assert meter.take("b").allowed, "each key has its own"
    time.now += refused.retry_after
    assert meter.take("a").allowed, "who waits as long as told is let in"
    assert not meter.take("a").allowed
    time.now += 60
    assert meter.look("a").left == 600


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=200), st.integers(min_value=1, max_value=50))
def test_no_window_lets_more_than_twice_the_quota_through(pauses: list[float], amount: int) -> None:
    time, taken = Time(), []
    meter = Meter(Quota("tests", amount), time)
    for pause in pauses:
        time.now += pause
        if meter.take("a").allowed:
            taken.append(time.now)
    for start in taken:
        within = sum(1 for each in taken if start <= each < start + 60)
        assert within <= 2 * amount, "a full bucket and what came back meanwhile"


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=100))
def test_a_refusal_costs_nothing_and_tells_the_least_wait(pauses: list[float]) -> None:
    time = Time()
    meter = Meter(Quota("tests", 3), time)
    for pause in pauses:
        time.now += pause
        verdict = meter.take("a")
        if not verdict.allowed:
            assert 0 < verdict.retry_after <= 20
            time.now += verdict.retry_after
            assert meter.take("a").allowed


def test_a_hundred_thousand_callers_take_bounded_memory() -> None:
    meter = Meter(Quota("failed sign-ins", 10), Time())
    for number in range(100_000):
        meter.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(meter) == MAX_KEYS
    held = sys.getsizeof(meter._full_at) + sum(sys.getsizeof(key) + 24 for key in meter._full_at)
    assert held < 8 * 1024 * 1024, held
    limits = Limits(Allowances(), Time())
    for _ in range(MAX_KNOWN + 500):
        limits.note_success(new_token()[0])
    assert len(limits._known) == MAX_KNOWN


def test_who_fails_too_often_is_refused_and_who_is_known_is_not() -> None:
    time = Time()
    limits = Limits(Allowances(), time)
    good, unknown = new_token()[0], new_token()[0]
    limits.note_success(good)
    for _ in range(10):
        limits.let_sign_in("192.0.2.1", unknown)
        limits.note_failure("192.0.2.1")
    with pytest.raises(ClearlineError) as refused:
        limits.let_sign_in("192.0.2.1", unknown)
    assert refused.value.code == "RATE_LIMITED"
    assert refused.value.retry_after == pytest.approx(6)
    limits.let_sign_in("192.0.2.1", good)
    limits.let_sign_in("192.0.2.2", unknown)
    time.now += 3601
    for _ in range(10):
        limits.note_failure("192.0.2.1")
    with pytest.raises(ClearlineError):
        limits.let_sign_in("192.0.2.1", good)


def test_commands_and_tests_are_counted_apart_and_per_token() -> None:
    limits = Limits(Allowances(commands=2, tests=1), Time())
    one, other = UUID(int=1), UUID(int=2)
    assert [limits.take(one, is_test=False).allowed for _ in range(3)] == [True, True, False]
    assert [limits.take(one, is_test=True).allowed for _ in range(2)] == [True, False]
    assert limits.take(other, is_test=False).allowed


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # anybody may write that header
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"),  # the rest was the client's own writing
        ("10.0.0.7", ["1.2.3.4", "203.0.113.9, 10.0.0.8"], "203.0.113.9"),
        ("10.0.0.7", ["nonsense"], "10.0.0.7"),
        ("10.0.0.7", [], "10.0.0.7"),
        (None, [], "unknown"),
        ("", ["203.0.113.9"], "unknown"),
    ],
)
def test_a_failure_is_counted_for_whoever_sent_it(peer: str | None, forwarded: list[str], counted: str) -> None:
    assert counted_address(peer, forwarded, networks(["10.0.0.0/24"])) == counted
