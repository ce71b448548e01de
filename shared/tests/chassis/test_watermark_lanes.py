"""The mark is the lowest unfinished offset, in whatever order work ends."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from clearline.chassis.consumption import Partition, Received
from clearline.chassis.lanes import Item, LaneKey, Lanes

PLACE = Partition("t", 0)


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([b"a", b"b", b"c", None])), max_size=40), st.data())
def test_the_mark_never_passes_unfinished_work(steps: list[tuple[int, bytes | None]], data: st.DataObject) -> None:
    lanes, offset, unfinished = Lanes(PLACE, 10), 10, set()
    open_lanes: set[LaneKey] = set()
    for gap, key in steps:
        offset += gap
        record = cast("Any", SimpleNamespace(offset=offset, key=key, timestamp=0))
        lanes.next = offset + 1
        if (new := lanes.add(Item(record, Received(PLACE, offset, "k", None)))) is not None:
            assert new not in open_lanes
            open_lanes.add(new)
        unfinished.add(offset)
    while unfinished:
        assert lanes.mark == min(unfinished)
        lane = data.draw(st.sampled_from(sorted(open_lanes, key=str)))
        head = lanes.queues[lane][0].record.offset
        assert head == min(item.record.offset for item in lanes.queues[lane])
        lanes.finish(lane)
        unfinished.remove(head)
        if not lanes.queues[lane]:
            del lanes.queues[lane]
            open_lanes.remove(lane)
    assert lanes.mark == lanes.next
    assert not lanes.above
    assert not lanes.finished
