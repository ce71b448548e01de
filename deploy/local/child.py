"""One running process, whether this supervisor started it or found it running."""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Protocol

import psutil
from deploy.local.places import Places
from deploy.local.processes import Process, Service
from deploy.local.state import Identity

_LOOK_EVERY = 0.3  # seconds; whoever is not our child can only be looked at


class Child(Protocol):
    """What can be done with a running process."""

    identity: Identity

    async def exited(self) -> int | None:
        """Wait for the end; the exit code, or None where only its parent could know."""


@dataclass(slots=True)
class Own:
    """Started by this supervisor."""

    identity: Identity
    process: asyncio.subprocess.Process

    async def exited(self) -> int | None:
        return await self.process.wait()


@dataclass(slots=True)
class Adopted:
    """Started by a supervisor that died."""

    identity: Identity

    async def exited(self) -> int | None:
        while self.identity.process() is not None:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(_LOOK_EVERY)
        return None


async def start(process: Process, places: Places) -> Own:
    """Start in a session of its own, output to its log: it outlives a supervisor that is killed."""
    if isinstance(process, Service):
        _remove_stale_pid_file(process)
    with places.log(process.name).open("ab") as log:
        started = await asyncio.create_subprocess_exec(
            *process.command,
            cwd=places.root,
            env=dict(process.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        return Own(Identity.of(started.pid), started)
    except psutil.Error:  # gone already; its exit code tells
        return Own(Identity(started.pid, 0.0), started)


async def stop(child: Child, stop_signal: signal.Signals, seconds: float) -> bool:
    """Its own signal, and after the deadline SIGKILL for its whole session. True if it ended by itself."""
    _signal(child.identity, signal.SIGCONT)  # a frozen process would not notice
    _signal(child.identity, stop_signal)
    try:
        async with asyncio.timeout(seconds):
            await child.exited()
    except TimeoutError:
        kill(child.identity)
        await child.exited()
        return False
    return True


def listens(identity: Identity, ports: tuple[int, ...]) -> bool:
    """Whether it is this process that listens there: whoever answers on the port may be of another checkout."""
    process = identity.process()
    if process is None:
        return False
    try:
        open_ports = {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # where the system hides it, the answer on the port must do
        return True
    return set(ports) <= open_ports


def kill(identity: Identity) -> None:
    if identity.process() is not None:
        os.killpg(identity.pid, signal.SIGKILL)


def _signal(identity: Identity, which: signal.Signals) -> None:
    if identity.process() is not None:
        os.kill(identity.pid, which)


def _remove_stale_pid_file(service: Service) -> None:
    """After a kill -9 the pid in the file may belong to somebody else, and PostgreSQL would refuse for ever."""
    if service.pid_file is None or not service.pid_file.exists():
        return
    first = service.pid_file.read_text().partition("\n")[0].strip()
    program = os.path.basename(service.command[len(service.launcher)])  # noqa: PTH119 - a string of the command
    try:
        if psutil.Process(int(first)).name() == program:
            return
    except (ValueError, psutil.Error):
        pass
    service.pid_file.unlink(missing_ok=True)
