"""Names, owners and beats within their bounds."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearline.catalogue import ClearlineError
from clearline.probes.beats import BeatDraft
from clearline.probes.naming import name_fault, owner_fault
from gateway.commands.draft import check_beat, check_naming


@pytest.mark.parametrize("name", ["a", "Warehouse EU", "größe", "数据库", "a/b", "x" * 100, "🚚 fleet"])
def test_visible_names_are_fine(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " a",
        "a ",
        "a\tb",
        "a\nb",
        "a\u0000",
        "a\u200bb",
        "a\u202eb",
        "\ufeffa",
        "a\u00a0b",
        "x" * 101,
        "\ud800",
    ],
)
def test_others_are_not(name: str) -> None:
    assert name_fault(name) is not None


@given(st.text(max_size=120))
def test_an_accepted_name_prints_on_one_line_in_one_spelling(name: str) -> None:
    if name_fault(name) is None:
        stored = check_naming(name, None)
        assert stored == unicodedata.normalize("NFC", stored)
        assert stored.isprintable()
        assert 1 <= len(stored) <= 100


@pytest.mark.parametrize(("owner", "fine"), [("data-team", True), ("A.b_c-1", True), ("x" * 63, True)])
def test_an_owner_is_one_word(owner: str, fine: bool) -> None:  # noqa: FBT001 - a table of cases
    assert (owner_fault(owner) is None) is fine


@pytest.mark.parametrize("owner", ["", "two words", "-x", "x" * 64, "ümlaut", 'a"b', "a\n"])
def test_anything_else_is_not(owner: str) -> None:
    assert owner_fault(owner) is not None


def test_the_timeouts_default_follows_the_interval() -> None:
    assert check_beat(None).timeout_seconds == 10
    assert check_beat(BeatDraft(interval_seconds=5)).timeout_seconds == 5
    assert check_beat(BeatDraft(interval_seconds=86_400)).timeout_seconds == 10


def test_every_fault_of_a_beat_is_named_at_once() -> None:
    with pytest.raises(ClearlineError) as error:
        check_beat(BeatDraft(interval_seconds=86_401, failure_threshold=0, degraded_after_ms=0))
    assert [each.pointer for each in error.value.errors] == [
        "/beat/interval_seconds",
        "/beat/failure_threshold",
        "/beat/degraded_after_ms",
    ]
