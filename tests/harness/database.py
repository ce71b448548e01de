"""A fresh database per test on the session's server."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@dataclass(frozen=True, slots=True)
class Database:
    """One database; `dsn` is the superuser's."""

    name: str
    dsn: str


def with_database(dsn: str, name: str) -> str:
    """The same DSN, on another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def create(server_dsn: str, *, template: str = "template1") -> Database:
    name = f"test_{secrets.token_hex(6)}"
    await _execute(server_dsn, f'create database "{name}" template "{template}"')
    return Database(name, with_database(server_dsn, name))


async def drop(server_dsn: str, database: Database) -> None:
    await _execute(server_dsn, f'drop database if exists "{database.name}" with (force)')


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
