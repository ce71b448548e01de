"""A failing batch is cut in two until the guilty record stands alone; the spans of the halves join without a gap."""

from clearline.chassis.consumption import Batch, Partition, Span


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
