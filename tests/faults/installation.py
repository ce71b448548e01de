"""A whole Clearline of one test's own: real processes, which may be killed at any moment."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiohttp
import asyncpg
from tests.harness.kafka import KafkaServer
from tests.harness.places import free_ports
from tests.harness.postgres import PostgresServer
from tests.harness.process import ServerProcess

from clearline.chassis.clock import SystemClock
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import provision
from clearline.contracts.connection import ENVIRONMENTS
from clearline.contracts.topics import TOPICS
from clearline.probes.sealing import generate_key_pair
from gateway.migrate import migrate
from gateway.token import Wish, create

LOGINS = ("clearline_api", "clearline_relay", "clearline_projector")
PASSWORD = "only-for-tests"
_NO_MORE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Installation:
    """`urls` (one for each gateway) and `token` reach the API; `processes` are killed and started by name."""

    urls: tuple[str, ...]
    token: str
    dsn: str
    bootstrap: str
    processes: Mapping[str, ServerProcess]
    """`gateway`, `projector`, `verifier`; further copies as `gateway-2` …"""
    addresses: Mapping[str, str]
    """Where each of them answers for its health and its metrics."""

    @property
    def url(self) -> str:
        """Of the first gateway."""
        return self.urls[0]

    def copies_of(self, service: str) -> list[ServerProcess]:
        """All processes of a service."""
        return [process for name, process in self.processes.items() if name.partition("-")[0] == service]


@asynccontextmanager
async def installed(
    folder: Path,
    kafka: KafkaServer,
    postgres: PostgresServer,
    *,
    settings: Mapping[str, str] = _NO_MORE,
    copies: int = 1,
) -> AsyncIterator[Installation]:
    """Migrate, create topics, start gateways, projectors, verifiers, all with `settings` too; stop them in the end."""
    await migrate(postgres.dsn)
    await _set_passwords(postgres.dsn)
    await provision(TOPICS, KafkaSettings(bootstrap_servers=(kafka.bootstrap,)), SystemClock())
    wish = Wish(name="faults", role="admin", environments=list(ENVIRONMENTS), expires_at=None)
    _, token = await create(postgres.dsn, wish, token_id=uuid4(), now=datetime.now(UTC))
    private, public = generate_key_pair()
    gateway_settings = {
        "CLEARLINE_POSTGRES_DSN": _as(postgres.dsn, "clearline_api"),
        "CLEARLINE_POSTGRES_RELAY_DSN": _as(postgres.dsn, "clearline_relay"),
        "CLEARLINE_SEALING_PUBLIC_KEY": public,
        "CLEARLINE_INSTALLATION_KEY": "only-for-tests-" * 3,
        "CLEARLINE_RATE_LIMIT_COMMANDS": "1000000",
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8",
    }
    projector_settings = {"CLEARLINE_POSTGRES_DSN": _as(postgres.dsn, "clearline_projector")}
    verifier_settings = {
        "CLEARLINE_SEALING_PRIVATE_KEYS": private,
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8",
    }
    place = _Place(folder, kafka.bootstrap, settings)
    services = {
        "gateway": ("gateway serve", "CLEARLINE_HTTP_PORT", gateway_settings),
        "projector": ("gateway project", "CLEARLINE_OPS_PORT", projector_settings),
        "verifier": ("verifier", "CLEARLINE_OPS_PORT", verifier_settings),
    }
    processes, urls, addresses = {}, [], {}
    for number in range(1, copies + 1):
        for service, (module, setting, told) in services.items():
            name = service if number == 1 else f"{service}-{number}"
            [port] = free_ports(1)
            processes[name] = place.process(name, module, port, {**told, setting: str(port)})
            addresses[name] = f"http://127.0.0.1:{port}"
            if service == "gateway":
                urls.append(f"{addresses[name]}/api/v1")
    try:
        for process in processes.values():
            await process.start()
        yield Installation(tuple(urls), token, postgres.dsn, kafka.bootstrap, processes, addresses)
    finally:
        for process in reversed(processes.values()):
            await process.stop()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where processes log, and their broker."""

    folder: Path
    bootstrap: str
    settings: Mapping[str, str]

    def process(self, name: str, module: str, port: int, settings: Mapping[str, str]) -> ServerProcess:
        """`python -m module`, ready when it says so on `port`."""

        async def is_ready() -> bool:
            return await _answers(f"http://127.0.0.1:{port}/health/ready")

        return ServerProcess(
            name=name,
            command=[sys.executable, "-m", *module.split()],
            environment={
                "PATH": os.environ["PATH"],
                "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
                "CLEARLINE_KAFKA_SESSION_TIMEOUT_MS": "2000",
                "CLEARLINE_LOG_LEVEL": "WARNING",
                **self.settings,
                **settings,
            },
            log=self.folder / f"{name}.log",
            is_ready=is_ready,
        )


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout(2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _set_passwords(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    for login in LOGINS:
        await connection.execute(f"alter role {login} password '{PASSWORD}'")
    await connection.close()


def _as(dsn: str, login: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{login}:{PASSWORD}@{parts.hostname}:{parts.port}"))
