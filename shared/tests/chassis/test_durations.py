"""Our histogram says what prometheus_client's own would say."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from clearline.chassis.durations import Durations

NAME, MEANING, LABELS, BUCKETS = "took", "How long.", ("topic", "type"), (0.001, 0.5, 60.0)
EXEMPLARS = st.none() | st.fixed_dictionaries({"trace_id": st.sampled_from(["a", "b"])})
SECONDS = st.sampled_from([0.0, *BUCKETS, 61.0]) | st.floats(0, 100)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), SECONDS, EXEMPLARS)))
def test_it_is_read_as_the_library_s_would_be(seen: list[tuple[str, float, dict[str, str] | None]]) -> None:
    own, theirs = CollectorRegistry(), CollectorRegistry()
    ours = Durations(NAME, MEANING, LABELS, buckets=BUCKETS, registry=own)
    model = Histogram(NAME, MEANING, LABELS, buckets=BUCKETS, registry=theirs)
    for kind, seconds, exemplar in seen:
        ours.labels("t", kind).observe(seconds, exemplar)
        model.labels("t", kind).observe(seconds, exemplar)
    assert lines(own) == lines(theirs)


def lines(registry: CollectorRegistry) -> list[list[str]]:
    """Without the moments at which an exemplar was seen and a series begun (which `Metrics` turns off)."""
    said = generate_latest(registry).decode().splitlines()  # type: ignore[no-untyped-call]  # theirs
    words = [line.split(" ") for line in said if "_created" not in line]
    return [each[:-1] if "#" in each[1:] else each for each in words]
