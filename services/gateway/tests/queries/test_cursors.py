"""A cursor leads on in its own list, and nowhere else."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearline.catalogue import ClearlineError
from gateway.queries.page import NumberKey, Place, TimeKey

PLACE = Place(TimeKey, "connections", ("production", None))
KEY = TimeKey(datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC), UUID(int=9))


def test_it_leads_back_to_its_key() -> None:
    assert PLACE.read(PLACE.write(KEY)) == KEY
    assert PLACE.read(None) is None


@pytest.mark.parametrize(
    "other",
    [
        Place(TimeKey, "connections", ("staging", None)),
        Place(TimeKey, "connections", (None, "production")),
        Place(TimeKey, "tokens", ("production", None)),
    ],
)
def test_it_is_refused_elsewhere(other: Place[TimeKey]) -> None:
    with pytest.raises(ClearlineError):
        other.read(PLACE.write(KEY))


@given(st.text(max_size=600) | st.binary(max_size=80).map(lambda raw: raw.hex()))
def test_noise_is_refused_and_nothing_else_happens(cursor: str) -> None:
    for place in (PLACE, Place(NumberKey, "audit")):
        with pytest.raises(ClearlineError) as error:
            place.read(cursor)
        assert error.value.code == "CURSOR_INVALID"


@given(st.integers())
def test_a_forged_number_stays_a_number_of_the_database(number: int) -> None:
    place = Place(NumberKey, "audit")
    cursor = place.write(NumberKey(number))
    if 0 <= number < 2**63:
        assert place.read(cursor) == NumberKey(number)
    else:
        with pytest.raises(ClearlineError):
            place.read(cursor)


def test_a_page_says_whether_there_is_more() -> None:
    rows = [NumberKey(number) for number in (5, 4, 3)]
    place = Place(NumberKey, "audit")
    page, following = place.page(rows, 2, lambda row: row)
    assert [row.number for row in page] == [5, 4]
    assert place.read(following) == NumberKey(4)
    assert place.page(rows, 3, lambda row: row) == (rows, None)
