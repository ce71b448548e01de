"""The search finds each guilty record alone, in order; what is stored joins without a gap, whatever lies between."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearline.chassis.consumption import Batch, Partition, Received, Span
from clearline.chassis.halving import Search


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    records: list[Received] = []
    spans: dict[Partition, Span] = {}
    for number in range(draw(st.integers(1, 4))):
        partition = Partition("t", number)
        offsets = sorted(draw(st.sets(st.integers(5, 60), max_size=12)))
        first = draw(st.integers(0, offsets[0] if offsets else 60))
        spans[partition] = Span(first, draw(st.integers((offsets[-1] + 1) if offsets else first + 1, 70)))
        records += [Received(partition, offset, "k", None) for offset in offsets]
    return Batch(records, spans)


@given(batches(), st.data())
def test_all_of_the_good_succeeds_in_order_and_each_guilty_record_is_found_alone(
    whole: Batch, data: st.DataObject
) -> None:
    guilty = [each for each in whole.records if data.draw(st.booleans())]
    tries = tried(whole, guilty)
    stored = [received for batch, outcome in tries if outcome == "done" for received in batch.records]
    assert stored == [received for received in whole.records if received not in guilty]
    assert [each.records for each, outcome in tries if outcome == "dead"] == [[each] for each in guilty]
    reached = {partition: span.first for partition, span in whole.spans.items()}
    for batch, outcome in tries:
        for partition, span in batch.spans.items() if outcome != "failed" else ():
            assert span.first == reached[partition]
            reached[partition] = span.next
    assert reached == {partition: span.next for partition, span in whole.spans.items()}


@given(batches(), st.data(), st.booleans())
def test_named_records_are_set_aside_and_none_is_handled_twice(whole: Batch, data: st.DataObject, tried: bool) -> None:  # noqa: FBT001 - drawn
    """As inside one transaction, where spans do not matter."""
    named = [each for each in whole.records if data.draw(st.booleans())]
    guilty = [each for each in whole.records if each not in named and data.draw(st.booleans())]
    tried = tried and len(whole.records) > 1
    search = Search.of_failed(whole) if tried else Search(whole)
    stored: list[Received] = []
    buried: list[Received] = []
    while (piece := search.next()) is not None:
        if name := next((each for each in piece.records if each in named), None):
            buried.append(name)
            search.again(Batch([each for each in piece.records if each is not name], {}))
        elif not any(each in guilty for each in piece.records) and not (tried and piece.records == whole.records):
            stored += piece.records
            search.done()
        elif len(piece.records) > 1:
            search.failed(piece)
        else:
            buried += piece.records
    place = {id(each): at for at, each in enumerate(whole.records)}
    assert sorted(place[id(each)] for each in [*stored, *buried]) == list(range(len(whole.records)))
    assert stored == sorted(stored, key=lambda each: place[id(each)]), "overtaken"
    if not tried:
        assert {id(each) for each in buried} == {id(each) for each in named + guilty}


@pytest.mark.parametrize(("at", "failures"), [(0, 10), (511, 2)], ids=["the first", "the last"])
def test_what_is_known_to_fail_is_not_tried_again(at: int, failures: int) -> None:
    """Halving alone would fail ten times, wherever the record is."""
    place = Partition("t", 0)
    whole = Batch([Received(place, offset, "k", None) for offset in range(512)], {place: Span(0, 512)})
    tries = tried(whole, [whole.records[at]])
    assert sum(outcome in {"failed", "dead"} for _, outcome in tries) == failures
    assert sum(outcome == "done" for _, outcome in tries) <= 10


def tried(whole: Batch, guilty: Sequence[Received]) -> list[tuple[Batch, str]]:
    """Every try, with how it ended."""
    search, tries = Search(whole), []
    while (batch := search.next()) is not None:
        if not any(received in guilty for received in batch.records):
            tries.append((batch, "done"))
            search.done()
        elif len(batch.records) > 1:
            tries.append((batch, "failed"))
            search.failed(batch)
        else:
            tries.append((batch, "dead"))
    return tries
