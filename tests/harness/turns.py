"""What one turn of an event loop costs, in processor time of its thread: a loaded machine changes nothing of it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import pytest


@dataclass(slots=True)
class Turns:
    """The longest turn so far of what was begun within a block."""

    seconds: float = 0.0
    callback: str = "none"

    def note(self, seconds: float, handle: asyncio.Handle) -> None:
        """One turn has ended."""
        if seconds > self.seconds:
            self.seconds, self.callback = seconds, repr(handle)


_WATCHED: ContextVar[Turns | None] = ContextVar("watched", default=None)
"""Who watches the context in which a callback was made: a test's own servers, on the same loop, are not counted."""


@pytest.fixture(autouse=True)
def timed_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times every turn of every loop that somebody watches; a conftest imports it."""
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        before = time.thread_time()
        run(handle)
        if (turns := handle._context.get(_WATCHED)) is not None:  # type: ignore[attr-defined]
            turns.note(time.thread_time() - before, handle)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)


@contextmanager
def turns_of_the_loop() -> Iterator[Turns]:
    """Watch what begins in this block. It should begin and end with a turn of its own: `await asyncio.sleep(0)`."""
    turns = Turns()
    token = _WATCHED.set(turns)
    try:
        yield turns
    finally:
        _WATCHED.reset(token)
