"""What one turn of an event loop costs, in processor time of its thread: a loaded machine changes nothing of it."""

import asyncio
import gc
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


class _Collections:
    """How long Python has cleared away garbage: with many tests a fifth of a second, in anybody's turn."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._begun


@pytest.fixture(autouse=True)
def timed_turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times every turn of every loop that somebody watches; a conftest imports it."""
    run, collections = asyncio.Handle._run, _Collections()  # where every turn begins and ends

    def timed(handle: asyncio.Handle) -> None:
        before = time.thread_time() - collections.seconds
        run(handle)
        if (turns := handle._context.get(_WATCHED)) is not None:  # type: ignore[attr-defined]  # typeshed hides it
            turns.note(time.thread_time() - collections.seconds - before, handle)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    gc.callbacks.append(collections)
    yield
    gc.callbacks.remove(collections)


@contextmanager
def turns_of_the_loop() -> Iterator[Turns]:
    """Watch what begins in this block. It should begin and end with a turn of its own: `await asyncio.sleep(0)`."""
    turns = Turns()
    token = _WATCHED.set(turns)
    try:
        yield turns
    finally:
        _WATCHED.reset(token)
