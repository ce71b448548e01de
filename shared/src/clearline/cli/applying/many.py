"""Many items at a time, each on its own, in the order of the files; Ctrl-C lets those under way come to a stop."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import TypeVar

from clearline.cli.session import Session

T = TypeVar("T")
R = TypeVar("R")
SLICE = 0.5
"""Seconds: a long wait is cut into such pieces, so that Ctrl-C is heeded."""


class _StoppedError(KeyboardInterrupt):
    """The person pressed Ctrl-C while this item was waiting for something."""


@contextmanager
def stoppable(session: Session) -> Iterator[tuple[Session, Event]]:
    """The session with a sleep that ends when the event is set."""
    stopped, around = Event(), session.surroundings

    def sleep(seconds: float) -> None:
        while seconds > 0:
            if stopped.is_set():
                raise _StoppedError
            piece = min(seconds, SLICE)
            around.sleep(piece)
            seconds -= piece

    session.api.wait_when_limited(sleep)
    yield replace(session, surroundings=replace(around, sleep=sleep)), stopped


def each(work: Callable[[T], R], items: Sequence[T], parallel: int, stopped: Event) -> list[R]:
    """The results in the order of the items. On Ctrl-C nothing new is begun, and what waits gives up."""
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
