"""`gateway serve` as a process of its own, as it runs in earnest."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.places import free_ports

from clearline.probes.sealing import generate_key_pair
from gateway.token import Wish, create


@dataclass
class ServeProcess:
    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def token(self, database: MigratedDatabase) -> str:
        """An admin's token, made as whoever installs Clearline makes it."""
        wish = Wish(name="admin", role="admin", environments=["development", "production"], expires_at=None)
        return (await create(database.dsn, wish, token_id=uuid4(), now=datetime.now(UTC)))[1]

    def terminate(self) -> None:
        self.process.terminate()

    async def ended(self, *, within: float) -> int:
        return await asyncio.wait_for(self.process.wait(), within)


@asynccontextmanager
async def started(
    database: MigratedDatabase,
    bootstrap: str,
    log: Path,
    *,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[ServeProcess]:
    """A gateway; killed at the end if it still runs."""
    port = port or free_ports(1)[0]
    environment = {
        "PATH": os.environ["PATH"],
        "CLEARLINE_HTTP_PORT": str(port),
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CLEARLINE_POSTGRES_DSN": database.login("clearline_api"),
        "CLEARLINE_POSTGRES_RELAY_DSN": database.login("clearline_relay"),
        "CLEARLINE_SEALING_PUBLIC_KEY": generate_key_pair()[1],
        "CLEARLINE_INSTALLATION_KEY": "only-for-tests-" * 3,
        **(settings or {}),
    }
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", env=environment, stdout=sink, stderr=sink
        )
    try:
        yield ServeProcess(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
