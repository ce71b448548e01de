"""The search for the guilty record of a failing batch: which pieces to try, in order; their spans join without a gap.

A piece that fails is cut in two. Once its first half has succeeded, the guilt lies in the second: that one is cut again
without being tried, which would cost a transaction to learn what is known. A record is found guilty only alone.
"""

from dataclasses import dataclass

from clearline.chassis.consumption import Batch, Partition, Span


@dataclass(slots=True)
class _Piece:
    batch: Batch
    guilty: bool
    """Known to fail as a whole, tried or not."""


class Search:
    """One batch being brought to its end: ask for the `next` piece, and tell how it went, until there is none."""

    def __init__(self, whole: Batch) -> None:
        self._left = [_Piece(whole, guilty=False)]
        self._first_half = False
        """Whether the piece that is out is one half of a guilty one, and the other half is the next on the pile."""

    @classmethod
    def of_failed(cls, whole: Batch) -> "Search":
        """Of one that has been tried as a whole, and has at least two records."""
        search = cls(whole)
        search.next()
        search.failed(whole)
        return search

    def next(self) -> Batch | None:
        """The piece to try now, in the order of the records."""
        if not self._left:
            return None
        piece = self._left.pop()
        self._first_half = False
        while piece.guilty and len(piece.batch.records) > 1:
            piece = self._cut(piece)
        return piece.batch

    def done(self) -> None:
        """The piece that is out has succeeded."""
        if self._first_half:
            self._left[-1].guilty = True

    def failed(self, batch: Batch) -> None:
        """The piece that is out has failed; it has at least two records."""
        self._left.append(_Piece(batch, guilty=True))

    def again(self, rest: Batch) -> None:
        """The piece that is out has failed by a record that was named: `rest` is what it holds besides."""
        self._left.append(_Piece(rest, guilty=False))

    def _cut(self, piece: _Piece) -> _Piece:
        first, second = halves(piece.batch)
        self._left.append(_Piece(second, guilty=False))  # what it is in may have failed by the first
        self._first_half = True
        return _Piece(first, guilty=False)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Two batches that together cover what `batch` covers, in order. Needs at least two records."""
    middle = len(batch.records) // 2
    first, second = batch.records[:middle], batch.records[middle:]
    cut = {received.partition: received.offset for received in reversed(second)}  # where the second half begins
    first_spans: dict[Partition, Span] = {}
    second_spans: dict[Partition, Span] = {}
    ours = {received.partition for received in first}
    for partition, span in batch.spans.items():
        if partition not in cut:
            first_spans[partition] = span
        elif partition not in ours:
            second_spans[partition] = span
        else:
            first_spans[partition] = Span(span.first, cut[partition])
            second_spans[partition] = Span(cut[partition], span.next)
    return Batch(first, first_spans), Batch(second, second_spans)
