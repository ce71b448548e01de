"""Keeps the local stack running: one at a time by a lock on a file, able to take over from one that was killed."""

import asyncio
import fcntl
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import IO

from deploy.local import leftovers, logs, state
from deploy.local.places import Places
from deploy.local.processes import Process, Service
from deploy.local.state import Identity, State
from deploy.local.supervised import Supervised

ROTATE_EVERY = 30.0
RETRY_LOCK = 0.1


class LockHeldError(RuntimeError):
    """Another supervisor of this checkout does not end."""


class _StopAskedError(Exception):
    """Ends the group of lives."""


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
    raise _StopAskedError


class Supervisor:
    """All processes of the record, their order, and the file that tells about them."""

    def __init__(self, places: Places, record: tuple[Process, ...], myself: Identity) -> None:
        self._places = places
        self._state = State(supervisor=myself)
        self._all = {process.name: Supervised(process, places, self._tell) for process in record}
        self._state.processes = {name: each.told for name, each in self._all.items()}
        self._adopt(record)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything in order, keep it running until `stop`, then stop it in the reverse order.

        A mistake of our own ends the supervisor, not what it runs: the keeper starts another, which takes over.
        """
        self._tell()
        try:
            async with asyncio.TaskGroup() as lives:
                for each in self._all.values():
                    lives.create_task(each.live(self._before(each)))
                lives.create_task(self._rotate_logs())
                lives.create_task(_until(stop))
        except* _StopAskedError:
            await self.stop_all()

    async def stop_all(self) -> None:
        self._state.stopping = True
        self._tell()
        for each in reversed(self._all.values()):
            await each.end()

    def retry_failed(self) -> None:
        """Try again what was given up."""
        for each in self._all.values():
            each.retry.set()

    def _adopt(self, record: tuple[Process, ...]) -> None:
        services = tuple(each for each in record if isinstance(each, Service))
        for name, identity in leftovers.find(services, state.read(self._places.state_file)).items():
            self._all[name].adopt(identity)

    def _before(self, each: Supervised) -> list[Supervised]:
        return [self._all[name] for name in each.process.after]

    async def _rotate_logs(self) -> None:
        while True:
            with suppress(OSError):  # a full disk must not end the supervisor
                logs.rotate(self._places.logs)
            await asyncio.sleep(ROTATE_EVERY)

    def _tell(self) -> None:
        self._state.write(self._places.state_file)


def supervise(
    places: Places, make_record: Callable[[], tuple[Process, ...]], myself: Identity, *, patience: float = inf
) -> int:
    """Wait for the lock, take over what runs, keep it running while `wanted` is there. 0 when the stack was stopped."""
    with places.lock_file.open("w") as lock:
        _take(lock, patience)  # a second supervisor waits here until the first has died
        asyncio.run(_supervise(places, make_record(), myself))
    return 0


def _take(lock: IO[str], patience: float) -> None:
    """Raise LockHeldError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if patience == inf else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LockHeldError(f"another supervisor holds {lock.name} and does not end; see `ps`") from None
            time.sleep(RETRY_LOCK)
        else:
            return


async def _supervise(places: Places, record: tuple[Process, ...], myself: Identity) -> None:
    supervisor = Supervisor(places, record, myself)
    if not places.wanted_file.exists():
        await supervisor.stop_all()
        return
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, supervisor.retry_failed)
    await supervisor.run(stop)
