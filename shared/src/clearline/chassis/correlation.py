"""The correlation id of the work in hand, so that every log line of a handler carries it unasked."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CURRENT: ContextVar[str | None] = ContextVar("clearline_correlation_id", default=None)


def current() -> str | None:
    """Correlation id bound by the nearest `bound`, if any."""
    return _CURRENT.get()


def bind(correlation_id: str | None) -> None:
    """Bind `correlation_id` from here on, in this task and in those it starts: cheaper than `bound`."""
    _CURRENT.set(correlation_id)


@contextmanager
def bound(correlation_id: str | None) -> Iterator[None]:
    """Bind `correlation_id` for the work inside; tasks started inside inherit it."""
    token = _CURRENT.set(correlation_id)
    try:
        yield
    finally:
        _CURRENT.reset(token)
