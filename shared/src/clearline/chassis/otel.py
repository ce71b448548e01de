"""Spans by OpenTelemetry, sent by OTLP over HTTP. Imported only where they have somewhere to go: it costs 0.3 s."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from clearline.chassis import tracing
from clearline.chassis.tracing import Attributes, Kind, Value

FLUSH_SECONDS = 2.0
"""At the end of a process: what is not sent by then is lost, for a collector must not hold up a shutdown."""
_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}


def start(service: str, installation: str) -> Callable[[], None]:
    """Record and export from here on; what it returns ends it. Exporter and sampler read their own `OTEL_…`."""
    told = {"service.name": service, "service.namespace": "clearline", "clearline.installation": installation}
    provider = TracerProvider(resource=Resource.create(told))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.record_with(OtelSpans(provider.get_tracer("clearline")))

    def end() -> None:
        tracing.record_with(None)
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)

    return end


class OtelSpans:
    """Records with one tracer."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def begin(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> Iterator["OtelSpan"]:
        """A span below the parent that the header names; what is raised in it ends it as failed, without its text."""
        span = self._tracer.start_span(name, _context(parent), _KINDS[kind], attributes, record_exception=False)
        made = OtelSpan(span)
        try:
            yield made
        except BaseException as error:
            made.fail(type(error).__name__)
            raise
        finally:
            span.end()


class OtelSpan:
    """One of OpenTelemetry's, as `clearline.chassis.tracing` knows it."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, name: str, value: Value) -> None:
        """Say more about it."""
        self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Call it by what became known later."""
        self._span.update_name(name)

    def fail(self, why: str) -> None:
        """It ended badly."""
        self._span.set_attribute("error.type", why)
        self._span.set_status(Status(StatusCode.ERROR))


def _context(parent: str | None) -> Context:
    if parent is None:
        return Context()
    remote = trace.SpanContext(
        trace_id=int(parent[3:35], 16),
        span_id=int(parent[36:52], 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(parent[53:55], 16)),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
