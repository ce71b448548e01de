"""The trace of the work in hand (W3C Trace Context): always carried on, turned into spans only where it is sampled.

Every request has a trace id, in logs and problems too, whether anybody collects spans or not. Spans are made where
`OTEL_EXPORTER_OTLP_ENDPOINT` is set and the trace is sampled; an event that is not costs no more than its header (ADR
0003). So the context is a header's text here, and OpenTelemetry comes in by `record_with` alone.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Value = str | bool | int | float
Attributes = Mapping[str, Value]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LENGTH = 55  # of version 00
_WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_VERSION = re.compile(r"[0-9a-f]{2}-", re.ASCII)
_SAMPLED_ENDS = tuple(f"{flags:02x}" for flags in range(1, 256, 2))
"""The last bit of the flags: whoever began the trace has it recorded."""
_CURRENT: ContextVar[str | None] = ContextVar("clearline_traceparent", default=None)


class Span(Protocol):
    """One piece of work, recorded or not."""

    traceparent: str
    """What goes on to whatever this work causes."""

    def note(self, name: str, value: Value) -> None:
        """Say more about it."""
        ...

    def rename(self, name: str) -> None:
        """Call it by what became known later."""
        ...

    def fail(self, why: str) -> None:
        """It ended badly; `why` is a code or a type, never an exception's text."""
        ...


class Spans(Protocol):
    """Where sampled work is recorded."""

    def begin(self, name: str, kind: Kind, parent: str | None, attributes: Attributes) -> AbstractContextManager[Span]:
        """A span that lasts as long as the context; without a parent it begins a trace."""
        ...


class _Unrecorded:
    """Work that nobody records goes on under its trace."""

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def note(self, name: str, value: Value) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def fail(self, why: str) -> None:
        pass


class _Recorder:
    """Where this process records spans, if it does: set once in `__main__`, as logging is."""

    spans: Spans | None = None


@contextmanager
def exported(service: str, installation: str, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Record and export spans inside, where the standard variables say where to. Entered once, in `__main__`."""
    given = os.environ if environ is None else environ
    disabled = given.get("OTEL_SDK_DISABLED", "").lower() == "true" or given.get("OTEL_TRACES_EXPORTER") == "none"
    if disabled or not any(given.get(name) for name in _ENDPOINTS):
        yield
        return
    from clearline.chassis import otel  # noqa: PLC0415 - 0.3 s that only those pay who want it

    end = otel.start(service, installation)
    try:
        yield
    finally:
        end()


def record_with(spans: Spans | None) -> None:
    """Record from here on; None ends it."""
    _Recorder.spans = spans


def current() -> str | None:
    """The `traceparent` of the work in hand, if it has one."""
    return _CURRENT.get()


def bind(traceparent: str | None) -> None:
    """Work under this trace from here on, in this task and in those it starts: cheaper than `work`, and no span."""
    _CURRENT.set(traceparent if traceparent is None or len(traceparent) == _LENGTH else None)


def trace_id() -> str | None:
    """Id of the trace of the work in hand."""
    return None if (traceparent := _CURRENT.get()) is None else traceparent[3:35]


def accepted(given: str | None) -> str | None:
    """A `traceparent` that somebody sent, as version 00; one that is malformed counts as not sent.

    A later version may have more fields after a dash; its first four mean the same (W3C Trace Context, section 4).
    """
    if given is None or (version := given[:2]) == "ff" or (version == "00" and len(given) != _LENGTH):
        return None
    if given[_LENGTH : _LENGTH + 1] not in {"", "-"}:
        return None
    known = f"00{given[2:_LENGTH]}"
    return known if _VERSION.match(given) and _WELL_FORMED.fullmatch(known) else None


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever began the trace has it recorded. An event's header is not trusted to be one."""
    if traceparent is None or len(traceparent) != _LENGTH or not traceparent.endswith(_SAMPLED_ENDS):
        return False
    return _WELL_FORMED.fullmatch(traceparent) is not None


def is_recorded(traceparent: str | None) -> bool:
    """Whether this process makes spans for it."""
    return _Recorder.spans is not None and is_sampled(traceparent)


def exemplar() -> dict[str, str] | None:
    """What leads from a histogram to the trace in hand, if somebody can look at it; None where there is none."""
    return exemplar_of(_CURRENT.get())


def exemplar_of(traceparent: str | None) -> dict[str, str] | None:
    """The same of another trace than the one in hand."""
    return {"trace_id": traceparent[3:35]} if traceparent is not None and is_sampled(traceparent) else None


@contextmanager
def work(name: str, kind: Kind, attributes: Attributes | None = None, *, parent: str | None = None) -> Iterator[Span]:
    """A piece of work below `parent` (default: the work in hand). What it causes inside goes on under it."""
    parent = parent or _CURRENT.get()
    spans = _Recorder.spans
    if spans is None or not is_sampled(parent):
        with _bound(parent if parent and len(parent) == _LENGTH else None):
            yield _Unrecorded(parent or "")
        return
    with spans.begin(name, kind, parent, attributes or {}) as span, _bound(span.traceparent):
        yield span


@contextmanager
def beginning(name: str, kind: Kind, *, given: str | None, new_id: Callable[[], str]) -> Iterator[Span]:
    """Work that somebody outside asked for: it goes on their trace, or begins one.

    `new_id` makes 32 hexadecimal digits, for a trace that nobody records.
    """
    spans, parent = _Recorder.spans, accepted(given)
    if spans is not None and (parent is None or is_sampled(parent)):
        with spans.begin(name, kind, parent, {}) as span, _bound(span.traceparent):
            yield span
        return
    carried = f"00-{parent[3:35] if parent else new_id()}-{new_id()[:16]}-00"
    with _bound(carried):
        yield _Unrecorded(carried)


@dataclass(frozen=True, slots=True)
class Part:
    """One trace's share in a stretch of work that belongs to many."""

    name: str
    parent: str | None
    attributes: Attributes


@contextmanager
def each(kind: Kind, parts: Iterable[Part]) -> Iterator[None]:
    """One stretch of work, recorded in each trace that it belongs to and that is sampled. Nobody records: no cost."""
    with ExitStack() as stack:
        if (spans := _Recorder.spans) is not None:
            for part in parts:
                if is_sampled(part.parent):
                    stack.enter_context(spans.begin(part.name, kind, part.parent, part.attributes))
        yield


@contextmanager
def _bound(traceparent: str | None) -> Iterator[None]:
    token = _CURRENT.set(traceparent)
    try:
        yield
    finally:
        _CURRENT.reset(token)
