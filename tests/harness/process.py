"""A child process that tests may kill, freeze and start again, and that dies with the test run."""

import asyncio
import ctypes
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.waiting import until

START_DEADLINE = 60.0  # a cold JVM beside a busy test run
STOP_DEADLINE = 20.0
_PR_SET_PDEATHSIG = 1


class ServerFailedError(RuntimeError):
    """A server of the harness did not become ready; its last log lines follow."""


def _dying_with_parent() -> Callable[[], None] | None:
    """What the child calls between fork and exec; looked up before, because loading takes a lock."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(slots=True)
class ServerProcess:
    """One server: its command, its log, and whether it answers. It belongs to no event loop: tests have several."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], Awaitable[bool]]
    stop_signal: signal.Signals = signal.SIGTERM
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The running server's process id. Raises if it does not run."""
        if self._child is None or self._child.poll() is not None:
            raise ServerFailedError(f"{self.name} is not running")
        return self._child.pid

    async def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603, ASYNC220 - our own servers; starting takes a moment
                self.command,
                cwd="/",
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_dying_with_parent(),  # noqa: PLW1509 - one system call, no lock
            )
        await self.wait_ready()

    async def wait_ready(self, deadline: float = START_DEADLINE) -> None:
        """Wait until the server answers. Raises ServerFailedError with the end of its log."""
        assert self._child is not None
        try:
            async with asyncio.timeout(deadline):
                while not await self.is_ready():
                    if self._child.poll() is not None:
                        raise self._failure(f"exited with {self._child.returncode}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._failure(f"did not answer within {deadline:.0f} s") from None

    async def stop(self) -> None:
        """Ask it to stop in its own way and wait; kill it after the deadline. Nothing if it does not run."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.send_signal(signal.SIGCONT)
        self._child.send_signal(self.stop_signal)
        try:
            await until(self._has_ended, within=STOP_DEADLINE)
        except AssertionError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._child is not None
        self._child.kill()
        await until(self._has_ended, within=STOP_DEADLINE)

    def _has_ended(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def _failure(self, what: str) -> ServerFailedError:
        lines = self.log.read_text(errors="replace").splitlines()[-30:]
        return ServerFailedError("\n".join([f"{self.name} {what}; the end of {self.log}:", *lines]))
