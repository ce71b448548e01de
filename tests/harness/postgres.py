"""A real PostgreSQL of one's own, for tests: no fsync, a temporary folder, faults on demand."""

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
from deploy.local import jars, postgres, unprivileged
from tests.harness.places import JAR_CACHE, free_ports
from tests.harness.process import ServerProcess

# Data may be lost with the machine, not with a process: fsync=off survives kill -9, synchronous_commit=off does not.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(slots=True)
class PostgresServer:
    """One PostgreSQL. `dsn` (the superuser's) stays the same across restarts; data survives kill and stop."""

    cluster: postgres.Cluster
    password: str
    _process: ServerProcess = field(init=False)

    def __post_init__(self) -> None:
        self._process = ServerProcess(
            name="postgres",
            command=postgres.serve_command(self.cluster),
            environment=postgres.environment(),
            log=self.cluster.data.parent / "postgres.log",
            is_ready=self._answers,
            stop_signal=signal.SIGINT,
        )

    @classmethod
    def in_folder(cls, folder: Path, settings: Mapping[str, str] = TEST_SETTINGS) -> "PostgresServer":
        """A server on a free port whose data lies in `folder`; call `start`."""
        _, jar = jars.this_machines_jars()
        [path] = jars.ensure([jar], JAR_CACHE)
        before = unprivileged.launcher()
        binaries = postgres.unpack(path, JAR_CACHE.parent / "postgres")
        [port] = free_ports(1)
        cluster = postgres.Cluster(binaries, folder / "data", port, tuple(before), settings)
        return cls(cluster, secrets.token_urlsafe(16))

    @property
    def dsn(self) -> str:
        """The superuser's, on the maintenance database `postgres`."""
        return self.cluster.dsn(self.password, database="postgres")

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """initdb on the first start, start, wait until it answers a query."""
        postgres.initialise(self.cluster, self.password)
        await self._process.start()

    async def stop(self) -> None:
        """SIGINT: clients are cut, the rest is orderly."""
        await self._process.stop()

    async def kill(self) -> None:
        """SIGKILL of the postmaster, and wait for its children to notice. `start` brings it back in under a second."""
        orphans = _children(self.pid)
        await self._process.kill()
        await asyncio.to_thread(psutil.wait_procs, orphans, timeout=10)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """SIGSTOP of the server and every session of it: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        for child in _children(self.pid):
            child.suspend()

    def resume(self) -> None:
        for child in _children(self.pid):
            child.resume()
        os.kill(self.pid, signal.SIGCONT)

    async def _answers(self) -> bool:
        return await answers(self.dsn)


async def answers(dsn: str) -> bool:
    """Whether a server answers a query."""
    try:
        connection = await asyncpg.connect(dsn, timeout=2)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        return bool(await connection.fetchval("select true"))
    except (OSError, asyncpg.PostgresError):
        return False
    finally:
        connection.terminate()


def _children(pid: int) -> list[psutil.Process]:
    """Backends lead sessions of their own, so a signal to the group does not reach them."""
    return psutil.Process(pid).children(recursive=True)
