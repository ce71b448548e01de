"""Whether the work in hand is still ours: after a hand-over nothing more is published for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class LeaseLost(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """The partition of this work was handed over; its next owner does it again under the same ids."""


class Lease:
    """Held from the assignment of partitions to their hand-over."""

    def __init__(self) -> None:
        self.held = True

    def end(self) -> None:
        """From here on, `check` refuses for all work done under this lease."""
        self.held = False


_CURRENT: ContextVar[Lease | None] = ContextVar("clearline_lease", default=None)


@contextmanager
def under(current: Lease) -> Iterator[None]:
    """Do the work inside under `current`; tasks started inside inherit it."""
    token = _CURRENT.set(current)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check() -> None:
    """Raise `LeaseLost` if the work in hand is no longer ours. Work without a lease is always ours."""
    current = _CURRENT.get()
    if current is not None and not current.held:
        raise LeaseLost
