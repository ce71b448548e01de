"""`gateway token`: the first token, made by whoever installs Clearline; later ones are made through the API."""

import argparse
import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from clearline.chassis.settings import load
from clearline.contracts.connection import ENVIRONMENTS
from gateway.read_model import sql
from gateway.read_model.pools import speak_json
from gateway.security.tokens import new_token
from gateway.settings import MigrateSettings

_MAKER = "installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the token may do."""

    name: str
    role: str
    environments: list[str]
    expires_at: datetime | None
    replaces: bool = False
    """Whether earlier ones of that name end, as far as this command made them."""


def main(arguments: list[str]) -> None:
    """Print {"id", "token"} once; nobody can read the token again."""
    wish = parse(arguments)
    dsn = load(MigrateSettings).postgres_migrate_dsn.get_secret_value()
    token_id, text = asyncio.run(create(dsn, wish, token_id=uuid4(), now=datetime.now(UTC)))
    print(msgspec.json.encode({"id": str(token_id), "token": text}).decode())  # noqa: T201 - this is its answer


def parse(arguments: list[str]) -> Wish:
    """The wish in a command line; every environment unless some are named."""
    parser = argparse.ArgumentParser(prog="gateway token", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--role", required=True, choices=["viewer", "operator", "admin"])
    parser.add_argument("--environment", action="append", choices=ENVIRONMENTS, dest="environments")
    parser.add_argument("--expires", type=_moment, help="for example 2027-01-31T00:00:00+00:00")
    parser.add_argument("--replace", action="store_true", help="revoke what this command made under the same name")
    given = parser.parse_args(arguments)
    return Wish(
        name=given.name,
        role=given.role,
        environments=given.environments or list(ENVIRONMENTS),
        expires_at=given.expires,
        replaces=given.replace,
    )


async def create(dsn: str, wish: Wish, *, token_id: UUID, now: datetime) -> tuple[UUID, str]:
    """Store the token's hash and tell the audit; returns its id and text."""
    text, digest = new_token()
    told: dict[str, Any] = {
        "name": wish.name,
        "role": wish.role,
        "environments": wish.environments,
        "expires_at": wish.expires_at.isoformat() if wish.expires_at else None,
    }
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await speak_json(connection)
        async with connection.transaction():
            if wish.replaces:
                await _revoke_predecessors(connection, wish.name, f"token-{token_id}", now)
            await connection.execute(
                sql("token_insert"),
                *(token_id, wish.name, digest, wish.role, wish.environments, now, _MAKER, wish.expires_at),
            )
            await connection.execute(
                sql("audit_insert"),
                *(_MAKER, "token.created", "token", str(token_id), None, f"token-{token_id}", None, told),
            )
    finally:
        await connection.close()
    return token_id, text


async def _revoke_predecessors(connection: asyncpg.Connection, name: str, correlation_id: str, now: datetime) -> None:
    for row in await connection.fetch(sql("token_replace"), name, now, _MAKER):
        gone = {"name": name, "role": row["role"]}
        await connection.execute(
            sql("audit_insert"),
            *(_MAKER, "token.revoked", "token", str(row["id"]), None, correlation_id, gone, None),
        )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("say the offset from UTC too, for example 2027-01-31T00:00:00+00:00")
    return moment
