"""Redis in every state that a verification must tell apart, each as a filled-in form; for tests and for the table.

async with redis_stand(path_of_redis_server, folder) as stand:
    config, credentials = stand.cases["wrong credentials"]
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.authority import Authority
from tests.harness.nowhere import unanswered
from tests.harness.redis import RedisServer, redis_server
from tests.harness.signing_in import PASSWORD, USER, Form, cases

ADMIN_PASSWORD = "s3cret-0f-the-admin"
USERS = (
    f"user default on >{ADMIN_PASSWORD} ~* &* +@all",
    f"user {USER} on >{PASSWORD} ~orders:* &news:* +get +set +del +publish +subscribe +ping +select +multi +discard",
    f"user checker on >{PASSWORD} ~orders:* +get +ping +acl|dryrun",
    f"user narrow on >{PASSWORD} ~orders:* +get +ping",
    f"user retired off >{PASSWORD} ~* +@all",
)


@dataclass(frozen=True, slots=True)
class RedisStand:
    """Two servers: one in plain and with TLS, one that wants a certificate of its clients; both know USERS."""

    authority: Authority
    server: RedisServer
    mutual: RedisServer
    closed_port: int
    silent_port: int

    def form(self, **changed: Any) -> Form:
        """A good form of the plain server; `changed` config."""
        config = {"host": "127.0.0.1", "port": self.server.port, "user": USER}
        return config | changed, {"password": PASSWORD}

    def encrypted(self, **changed: Any) -> Form:
        """A good form of the encrypted port."""
        tls = {"host": "localhost", "port": self.server.tls_port, "tls": "verify-full"}
        return self.form(**(tls | {"ca_certificate": self.authority.pem} | changed))

    def with_certificate(self, issued_by: Authority, **changed: Any) -> Form:
        """A form of the server that wants a certificate, with one."""
        issued = issued_by.issue("clearline")
        config, credentials = self.encrypted(port=self.mutual.tls_port, client_certificate=issued.certificate)
        return config | changed, credentials | {"client_key": issued.key}

    @property
    def cases(self) -> Mapping[str, Form]:
        """The columns of the table of verification."""
        rights = {"commands": ["get", "set"], "keys": ["orders:*"]}
        return cases(
            self.encrypted(**rights),
            missing={"commands": ["get", "hset"]},
            unencrypted_port=self.server.port,
            closed_port=self.closed_port,
            silent=self.form(port=self.silent_port),
        )


@asynccontextmanager
async def redis_stand(program: str, folder: Path) -> AsyncIterator[RedisStand]:
    """Everything, until the block ends."""
    authority = Authority()
    certificate = authority.issue("localhost")
    async with (
        redis_server(program, folder / "server", users=USERS, certificate=certificate) as server,
        redis_server(program, folder / "mutual", users=USERS, certificate=certificate, clients=authority) as mutual,
        unanswered() as (closed_port, silent_port),
    ):
        yield RedisStand(authority, server, mutual, closed_port, silent_port)
