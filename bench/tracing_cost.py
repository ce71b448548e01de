"""T1: what traces cost a consumed event: where nobody samples it, and where a span is made and given to an exporter."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.consuming import ours
from bench.measuring import Figure, Pair, Run, compare
from bench.servers import Servers
from bench.topics import filled, progressed
from msgspec.structs import replace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from clearline.chassis import tracing
from clearline.chassis.otel import OtelSpans
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic

EVENTS = 30_000


async def tracing_cost(servers: Servers, scale: float) -> list[Figure]:
    """The same events with and without a recorder; what is exported goes nowhere."""
    amount = round(EVENTS * scale)
    quiet = await filled(servers.bootstrap, amount, lambda number: _traced(number, "00"))
    loud = await filled(servers.bootstrap, amount, lambda number: _traced(number, "01"))
    unsampled = await compare(lambda: _recorded(servers, quiet, amount), lambda: ours(servers, quiet, amount))
    sampled = await compare(lambda: _recorded(servers, loud, amount), lambda: ours(servers, loud, amount))
    return [
        Figure(number="T1", what="consume an event whose trace is not sampled", floor="the same, nobody records",
               sense="at most", goal=1.1, pairs=_times(unsampled), unit="s"),
        Figure(number="T1", what="consume an event whose trace is sampled: one span", floor="the same, nobody records",
               sense="at most", goal=4, pairs=_times(sampled), unit="s"),
    ]  # fmt: skip


async def _recorded(servers: Servers, topic: Topic, amount: int) -> Run:
    with _recording():
        return await ours(servers, topic, amount)


@contextmanager
def _recording() -> Iterator[None]:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    tracing.record_with(OtelSpans(provider.get_tracer("bench")))
    try:
        yield
    finally:
        tracing.record_with(None)
        provider.shutdown()


def _times(rates: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple(Pair(1 / pair.ours, 1 / pair.floor, pair.ours_cpu_seconds, pair.floor_cpu_seconds) for pair in rates)


def _traced(number: int, flags: str) -> Event:
    return replace(progressed(number), traceparent=f"00-{number + 1:032x}-{number + 1:016x}-{flags}")
