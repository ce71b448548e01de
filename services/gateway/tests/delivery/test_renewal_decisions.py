"""When a renewal is due: properties that hold for any connection, validity and run of failures."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from gateway.renewal_policy import FIRST_RETRY, LONGEST_RETRY, Standing, look_again, renewal_due, spread

START = datetime(2026, 1, 1, tzinfo=UTC)
connections = st.uuids()
validities = st.timedeltas(min_value=timedelta(seconds=2), max_value=timedelta(days=365))
failures = st.integers(min_value=1, max_value=10_000)


def standing(validity: timedelta, **ended: object) -> Standing:
    return Standing(proven_at=START, expires_at=START + validity, **ended)  # type: ignore[arg-type]  # a test's shorthand


@given(connections, validities)
def test_a_success_is_renewed_between_75_and_90_percent_of_its_validity(connection: UUID, validity: timedelta) -> None:
    due = renewal_due(connection, standing(validity))
    assert START + validity * 0.75 <= due <= START + validity * 0.90
    assert due == renewal_due(connection, standing(validity)), "the same in every gateway"


@given(connections, validities, failures, st.sampled_from(["transient", "system", None]))
def test_what_may_pass_by_itself_is_tried_again_ever_later(
    connection: UUID, validity: timedelta, count: int, retry_class: str | None
) -> None:
    failed_at = START + validity * 0.8
    pauses = [
        renewal_due(connection, standing(validity, failures=each, failed_at=failed_at, retry_class=retry_class))
        - failed_at
        for each in (count, count + 1)
    ]
    assert timedelta(0) < pauses[0] <= pauses[1] <= min(LONGEST_RETRY, validity / 20)


@given(connections, validities, failures)
def test_what_somebody_has_to_mend_waits_for_them(connection: UUID, validity: timedelta, count: int) -> None:
    failed_at = START + validity * 0.8
    due = renewal_due(connection, standing(validity, failures=count, failed_at=failed_at, retry_class="config"))
    assert failed_at + validity * 0.75 <= due <= failed_at + validity * 0.90


@given(connections, validities)
def test_a_first_try_leaves_time_for_others_before_it_expires(connection: UUID, validity: timedelta) -> None:
    once = standing(
        validity, failures=1, failed_at=renewal_due(connection, standing(validity)), retry_class="transient"
    )
    assert renewal_due(connection, once) < once.expires_at


@given(validities)
def test_one_that_was_asked_for_is_looked_at_soon_after(validity: timedelta) -> None:
    again = look_again(standing(validity), START)
    assert START < again <= START + min(FIRST_RETRY, validity / 20)


def test_a_day_long_validity_is_retried_after_a_minute_and_at_most_an_hour_apart() -> None:
    pauses = [
        renewal_due(uuid4(), standing(timedelta(days=1), failures=count, failed_at=START, retry_class="transient"))
        - START
        for count in range(1, 9)
    ]
    assert [pause.total_seconds() / 60 for pause in pauses] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_connections_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(10_000):
        tenths[int(spread(UUID(int=number)) * 10)] += 1
    assert min(tenths) > 800, "also where ids follow one another"
    assert max(tenths) < 1_200
