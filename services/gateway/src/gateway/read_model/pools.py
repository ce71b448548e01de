"""How the gateway speaks to PostgreSQL: few connections, nothing without a time limit, JSON as values."""

from collections.abc import Mapping
from typing import TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection | PoolConnectionProxy"
"""A connection of one's own or one lent by a pool."""

AWAY = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
        asyncpg.InternalClientError)  # fmt: skip
"""PostgreSQL cannot be reached at the moment; the same may work later. The last one is what asyncpg says of a session
that was thrown out just before it was used."""
FAILING = (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError)
"""All that PostgreSQL and its client raise: what runs on by itself says so and has its next turn."""

_JSONB_VERSION = b"\x01"
_NO_MORE: Mapping[str, str] = {}


async def open_pool(
    dsn: str,
    *,
    name: str,
    max_size: int = 10,
    statement_timeout_ms: int = 5000,
    settings: Mapping[str, str] = _NO_MORE,
) -> asyncpg.Pool:
    """A pool, seen in pg_stat_activity under `name`; its sessions have these `settings` too.

    It opens its first connection when one is asked for, so that a process can start while PostgreSQL is away.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=max_size,
        max_inactive_connection_lifetime=60,
        timeout=5,
        command_timeout=statement_timeout_ms / 1000
        + 5,  # the server's limit comes first; this one is for a silent server
        init=speak_json,
        server_settings=server_settings(name, statement_timeout_ms) | dict(settings),
    )


def server_settings(name: str, statement_timeout_ms: int) -> dict[str, str]:
    """What every session is told at its start."""
    return {
        "application_name": f"clearline-{name}",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "30000",  # readers of `changes` wait for the oldest transaction
        "timezone": "UTC",
    }


async def speak_json(connection: asyncpg.Connection) -> None:
    """Let jsonb values be Python values on this connection."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )


def _encode_jsonb(value: object) -> bytes:
    return _JSONB_VERSION + msgspec.json.encode(value)


def _decode_jsonb(data: bytes) -> object:
    return msgspec.json.decode(data[1:])
