"""Name look-ups in threads of their own: a resolver that hangs stops neither other work nor the end of a process."""

import asyncio
import socket
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

THREADS = 256
"""Look-ups at a time, as many as verifications may run: names that never answer must not hold up the others'."""

AddrInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
_Job = tuple[asyncio.Future[list[AddrInfo]], Callable[[], list[AddrInfo]]]


class NameLookups:
    """A small pool of daemon threads, started when they are needed; the standard pool's are joined at exit."""

    def __init__(self, threads: int = THREADS) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = threads
        self._started = 0
        self._open = 0

    def submit(
        self, loop: asyncio.AbstractEventLoop, look_up: Callable[[], list[AddrInfo]]
    ) -> asyncio.Future[list[AddrInfo]]:
        """Run a look-up beside the loop; one that nobody waits for any more is not begun."""
        future: asyncio.Future[list[AddrInfo]] = loop.create_future()
        self._open += 1
        future.add_done_callback(self._ended)
        if self._open > self._started and self._started < self._threads:
            self._started += 1
            Thread(target=self._work, args=(loop,), name=f"names-{self._started}", daemon=True).start()
        self._jobs.put((future, look_up))
        return future

    def close(self) -> None:
        """Let the threads end after what they are at."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _ended(self, _future: asyncio.Future[list[AddrInfo]]) -> None:
        self._open -= 1

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            future, look_up = job
            if future.cancelled():
                continue
            result: list[AddrInfo] | Exception
            try:
                result = look_up()
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                result = error
            try:
                loop.call_soon_threadsafe(_settle, future, result)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits
                return


def _settle(future: asyncio.Future[list[AddrInfo]], result: list[AddrInfo] | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
