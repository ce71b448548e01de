"""A real redis-server of one's own, for tests: ACL users, TLS, required client certificates.

No pytest in here but for the path of the program, which the caller brings: the table of verification uses it too.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.authority import Authority, Issued
from tests.harness.places import free_ports
from tests.harness.process import ServerProcess
from tests.harness.reaching import accepts
from tests.harness.waiting import until

PROGRAM = {"name": "redis-server", "package": "redis-server"}
"""For `tests.harness.programs.program`."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server that runs: `port` in plain, `tls_port` encrypted where there is a certificate."""

    port: int
    tls_port: int

    async def does(self, *commands: str, password: str = "") -> list[str]:
        """The first line of the answer to each inline command, as the default user: for setting things up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            first = [f"AUTH {password}"] if password else []
            writer.write("".join(f"{command}\r\n" for command in (*first, *commands)).encode())
            return [(await reader.readline()).decode().strip() for _ in (*first, *commands)][len(first) :]
        finally:
            writer.transport.abort()


@asynccontextmanager
async def redis_server(
    program: str,
    folder: Path,
    *,
    users: Iterable[str] = (),
    settings: Mapping[str, str] | None = None,
    certificate: Issued | None = None,
    clients: Authority | None = None,
) -> AsyncIterator[RedisServer]:
    """Serve until the block ends. `users` are lines of an ACL file; with `clients` only their certificates get in."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment, before anything runs
    port, tls_port = free_ports(2)
    lines = {"port": str(port), "bind": "127.0.0.1", "save": '""', "dir": str(folder), "daemonize": "no"}
    if told := list(users):
        (folder / "users.acl").write_text("\n".join(told) + "\n")
        lines["aclfile"] = str(folder / "users.acl")
    if certificate is not None:
        lines |= _encrypted(folder, tls_port, certificate, clients)
    configuration = folder / "redis.conf"
    configuration.write_text("".join(f"{name} {value}\n" for name, value in (lines | dict(settings or {})).items()))
    process = ServerProcess(
        name="redis",
        command=[program, str(configuration)],
        environment=os.environ,
        log=folder / "redis.log",
        is_ready=lambda: accepts(port),
    )
    await process.start()
    try:
        yield RedisServer(port, tls_port)
    finally:
        await process.stop()


def _encrypted(folder: Path, port: int, certificate: Issued, clients: Authority | None) -> dict[str, str]:
    public, private = certificate.written(folder, "server")
    authority = folder / "clients.pem"
    authority.write_text(clients.pem if clients else certificate.certificate)
    return {
        "tls-port": str(port),
        "tls-cert-file": str(public),
        "tls-key-file": str(private),
        "tls-ca-cert-file": str(authority),
        "tls-auth-clients": "yes" if clients else "no",
    }


async def replica_of(server: RedisServer, replica: RedisServer) -> None:
    """Make the second a read-only copy of the first, and wait until it is."""
    await replica.does(f"REPLICAOF 127.0.0.1 {server.port}")

    async def linked() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
        try:
            writer.write(b"INFO replication\r\n")
            return b"master_link_status:up" in await asyncio.wait_for(reader.read(4096), 5)
        finally:
            writer.transport.abort()

    await until(linked, within=15)
