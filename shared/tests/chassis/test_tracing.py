from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from clearline.chassis import tracing
from clearline.chassis.otel import OtelSpans
from clearline.chassis.tracing import Part

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@dataclass
class Ids:
    given: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        self.given.append(f"{len(self.given) + 1:032x}")
        return self.given[-1]


@pytest.fixture
def recorded() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record_with(OtelSpans(provider.get_tracer("test")))
    yield exporter
    tracing.record_with(None)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (SAMPLED, SAMPLED),
        (UNSAMPLED, UNSAMPLED),
        (f"01-{TRACE}-{PARENT}-01-of-a-later-version", SAMPLED),
        (f"cc-{TRACE}-{PARENT}-01", SAMPLED),
        (f"{SAMPLED}-more", None),  # version 00 has four fields
        (f"01-{TRACE}-{PARENT}-01.x", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (SAMPLED.upper(), None),
        (f"00-{TRACE}-{PARENT}-0", None),
        (f"zz-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-0\uff11", None),
        ("", None),
        ("x" * 10_000, None),
        (None, None),
    ],
)
def test_a_header_is_taken_as_the_standard_says(given: str | None, taken: str | None) -> None:
    assert tracing.accepted(given) == taken


def test_without_a_collector_a_request_has_a_trace_id_and_makes_no_span() -> None:
    ids = Ids()
    with tracing.beginning("GET", "server", given=None, new_id=ids) as span:
        assert tracing.current() == span.traceparent == f"00-{ids.given[0]}-{ids.given[1][:16]}-00"
        assert tracing.trace_id() == ids.given[0]
        assert tracing.exemplar() is None
    assert tracing.current() is None


def test_without_a_collector_the_callers_trace_goes_on_unrecorded() -> None:
    with tracing.beginning("GET", "server", given=SAMPLED, new_id=Ids()) as span:
        assert span.traceparent[3:35] == TRACE
        assert span.traceparent.endswith("-00"), "nobody here records it, so nobody is promised that"
        assert span.traceparent[36:52] != PARENT


def test_work_inside_work_is_its_child(recorded: InMemorySpanExporter) -> None:
    with tracing.beginning("POST", "server", given=SAMPLED, new_id=Ids()) as outer, tracing.work("command", "internal"):
        assert tracing.exemplar() == {"trace_id": TRACE}
    inner, server = recorded.get_finished_spans()
    assert (inner.name, server.name) == ("command", "POST")
    assert inner.parent is not None
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT
    assert f"{inner.parent.span_id:016x}" == outer.traceparent[36:52]
    assert {f"{span.context.trace_id:032x}" for span in (inner, server)} == {TRACE}


def test_a_caller_who_does_not_sample_costs_no_span(recorded: InMemorySpanExporter) -> None:
    with tracing.beginning("POST", "server", given=UNSAMPLED, new_id=Ids()), tracing.work("command", "internal"):
        assert tracing.trace_id() == TRACE
    assert recorded.get_finished_spans() == ()


def test_a_trace_that_the_sampler_drops_is_carried_as_unsampled() -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    tracing.record_with(OtelSpans(provider.get_tracer("test")))
    try:
        with tracing.beginning("POST", "server", given=None, new_id=Ids()) as span:
            assert not tracing.is_sampled(span.traceparent)
            assert tracing.trace_id() == span.traceparent[3:35] != "0" * 32
    finally:
        tracing.record_with(None)


def test_a_batch_is_recorded_in_each_trace_that_is_sampled(recorded: InMemorySpanExporter) -> None:
    other = SAMPLED.replace(TRACE, TRACE[::-1])
    parts = [
        Part("process t", parent, {"n": n}) for n, parent in enumerate((SAMPLED, UNSAMPLED, None, "nonsense", other))
    ]
    with tracing.each("consumer", parts):
        pass
    assert [dict(span.attributes or {}) for span in recorded.get_finished_spans()] == [{"n": 4}, {"n": 0}]


def test_what_fails_is_marked_by_its_type_and_never_by_its_text(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="hunter2"), tracing.work("command", "internal", parent=SAMPLED):
        raise ValueError("hunter2")
    (span,) = recorded.get_finished_spans()
    assert not span.status.is_ok
    assert "ValueError" in span.to_json()
    assert "hunter2" not in span.to_json()


def test_a_header_that_is_none_is_not_carried_on() -> None:
    tracing.bind("nonsense")
    assert tracing.trace_id() is None
    with tracing.work("command", "internal", parent="nonsense"):
        assert tracing.trace_id() is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_recorded_unless_somebody_collects(environ: dict[str, str]) -> None:
    with tracing.exported("test", "here", environ):
        assert not tracing.is_recorded(SAMPLED)
