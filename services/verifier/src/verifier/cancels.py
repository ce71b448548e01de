"""Who wants which verification to end: cancels overtake the queue, so one may come before its request is begun."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

REMEMBERED = 10_000
"""Cancels kept for requests that are still queued; five times what a consumer reads ahead."""


class Cancels:
    """Running verifications and the cancels that came too early, bounded."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._running: dict[UUID, asyncio.Event] = {}
        self._early: OrderedDict[UUID, None] = OrderedDict()

    def cancel(self, verification_id: UUID) -> None:
        """End it now if it runs, at its beginning if it has not begun. One that has ended is not touched."""
        if (running := self._running.get(verification_id)) is not None:
            running.set()
            return
        self._early[verification_id] = None
        self._early.move_to_end(verification_id)
        while len(self._early) > self._remembered:
            self._early.popitem(last=False)

    @contextmanager
    def running(self, verification_id: UUID) -> Iterator[asyncio.Event]:
        """The event that is set when somebody cancels this one; kept for a second run until this one has ended."""
        event = asyncio.Event()
        if verification_id in self._early:
            event.set()
        self._running[verification_id] = event
        try:
            yield event
        finally:
            del self._running[verification_id]
            if event.is_set():  # a run that is handed back begins again elsewhere, or here: still cancelled
                self.cancel(verification_id)
