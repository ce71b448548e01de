"""Halves of a batch join without a gap, whatever lies between their records."""

from hypothesis import given
from hypothesis import strategies as st

from clearline.chassis.consumption import Batch, Partition, Received, Span
from clearline.chassis.halving import halves


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


@given(batches())
def test_cut_down_to_single_records_the_spans_still_join(whole: Batch) -> None:
    pieces, work = [], [whole]
    while work:
        batch = work.pop()
        if len(batch.records) > 1:
            first, second = halves(batch)
            assert len(first.records) >= 1
            assert len(second.records) >= 1
            work += [second, first]
        else:
            pieces.append(batch)
    assert [received for piece in pieces for received in piece.records] == list(whole.records)
    reached = {partition: span.first for partition, span in whole.spans.items()}
    for piece in pieces:
        for received in piece.records:
            assert piece.spans[received.partition].first <= received.offset < piece.spans[received.partition].next
        for partition, span in piece.spans.items():
            assert span.first == reached[partition]
            reached[partition] = span.next
    assert reached == {partition: span.next for partition, span in whole.spans.items()}
