"""TLS for a test's PostgreSQL: a certificate of its own, and users whom it lets in only with one of theirs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from tests.harness.authority import Authority, Issued
from tests.harness.postgres import PostgresServer

RULES = """\
hostssl   all with_certificate 127.0.0.1/32 scram-sha-256 clientcert=verify-full
hostssl   all by_certificate   127.0.0.1/32 cert
hostnossl all encrypted_only   127.0.0.1/32 reject
"""
"""Before initdb's own, which let in every other user with a password, encrypted or not."""
PASSWORD = "t3st-p4ssword"
USERS = ("with_certificate", "by_certificate", "encrypted_only", "limited")


@dataclass(frozen=True, slots=True)
class SecuredPostgres:
    """A server that speaks TLS as `localhost`, and its users (all with `PASSWORD`); `limited` owns nothing."""

    server: PostgresServer
    authority: Authority


async def secure(server: PostgresServer, authority: Authority, issued: Issued | None = None) -> None:
    """Switch TLS on, with a certificate for `localhost` unless another was issued, and make the users."""
    data = server.cluster.data
    certificate = issued or authority.issue("localhost")
    for name, text in (
        ("server.crt", certificate.certificate),
        ("server.key", certificate.key),
        ("clients.crt", authority.pem),
    ):
        _write(data / name, text)
    _write(data / "pg_hba.conf", RULES + (data / "pg_hba.conf").read_text().removeprefix(RULES))
    connection = await asyncpg.connect(server.dsn)
    try:
        for name in USERS:
            await connection.execute(f"drop role if exists {name}")
            await connection.execute(f"create role {name} login password '{PASSWORD}'")
        await connection.execute("alter system set ssl_ca_file = 'clients.crt'")
        await connection.execute("alter system set ssl = on")
    finally:
        await connection.close()
    await server.restart()


@asynccontextmanager
async def secured_postgres(folder: Path) -> AsyncIterator[SecuredPostgres]:
    """A server of one's own with TLS, for use outside of pytest; ends with the block."""
    server, authority = PostgresServer.in_folder(folder), Authority()
    await server.start()
    try:
        await secure(server, authority)
        yield SecuredPostgres(server, authority)
    finally:
        await server.stop()


def _write(path: Path, text: str) -> None:
    """As the owner of the data, who alone may read a key."""
    path.touch(mode=0o600)
    path.write_text(text)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
