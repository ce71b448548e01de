"""TLS for a test's PostgreSQL: a certificate of its own, and users whom it lets in only with one of theirs."""

import os
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
USERS = ("with_certificate", "by_certificate", "encrypted_only")
"""All with `PASSWORD`."""


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


def _write(path: Path, text: str) -> None:
    """As the owner of the data, who alone may read a key."""
    path.touch(mode=0o600)
    path.write_text(text)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
