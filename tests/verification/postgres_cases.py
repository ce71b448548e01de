"""A PostgreSQL that speaks TLS beside one that does not, and a user who may read one of two tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from tests.harness.authority import Authority
from tests.harness.nowhere import NO_SUCH_HOST, unanswered
from tests.harness.postgres import PostgresServer
from tests.harness.postgres_tls import secure
from tests.verification.case import Cases

USER, PASSWORD = "shop", "s3cret-0f-the-shop"
SET_UP = f"""
create role {USER} login password '{PASSWORD}';
create table public.orders(); create table public.salaries(); grant select on public.orders to {USER};
"""


@asynccontextmanager
async def postgres_cases(folder: Path) -> AsyncIterator[Cases]:
    authority = Authority()
    async with _running(folder / "encrypted") as encrypted, _running(folder / "plain") as plain:
        await secure(encrypted, authority)
        async with unanswered() as (closed, mute):
            good: dict[str, Any] = {
                "host": "localhost",
                "port": encrypted.cluster.port,
                "database": "postgres",
                "user": USER,
                "tls": "verify-full",
                "ca_certificate": authority.pem,
                "tables": ["public.orders"],
            }
            secret = {"password": PASSWORD}
            yield {
                "good": (good, secret),
                "wrong host": (good | {"host": NO_SUCH_HOST}, secret),
                "wrong port": (good | {"port": closed}, secret),
                "wrong TLS": (good | {"port": plain.cluster.port}, secret),
                "wrong credentials": (good, {"password": "wr0ng"}),
                "missing permission": (good | {"tables": ["public.orders", "public.salaries"]}, secret),
                "silent server": (good | {"port": mute, "tls": "disable", "ca_certificate": None}, secret),
            }


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[PostgresServer]:
    folder.mkdir(parents=True)  # noqa: ASYNC240 - a moment, before anything runs
    server = PostgresServer.in_folder(folder)
    await server.start()
    try:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute(SET_UP)
        await connection.close()
        yield server
    finally:
        await server.stop()
