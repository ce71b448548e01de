"""`gateway parked`: the way out for an event that Kafka refused for good, and for its key's events behind it.

`list` shows them; `release ID` lets one go again once its cause is mended; `discard ID --because TEXT` gives it up.
Both acts are in the audit. The event's contents are never shown.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from clearline.chassis.settings import load
from gateway.read_model import sql
from gateway.read_model.pools import AWAY, Connection, speak_json
from gateway.settings import MigrateSettings

_BY = "installation"
_MOST = 1000  # more than anyone reads; the metric clearline_outbox_parked counts them all


class NotParked(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """No event with this number is parked: `gateway parked list` shows those that are."""


def main(arguments: list[str]) -> None:
    """Do what is asked, one JSON line for each event. Exit code 1 says that nothing was done."""
    wish = parse(arguments)
    dsn = load(MigrateSettings).postgres_migrate_dsn.get_secret_value()
    try:
        told = asyncio.run(_run(dsn, wish))
    except (NotParked, asyncpg.PostgresError, *AWAY) as error:
        sys.exit(f"Nothing was done: {str(error) or type(error).__name__}")
    for each in told:
        print(msgspec.json.encode(each).decode())  # noqa: T201 - this is its answer


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The wish in a command line: `act`, and what it needs."""
    parser = argparse.ArgumentParser(prog="gateway parked", description=__doc__)
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("list", help="show parked events, the oldest first")
    release = acts.add_parser("release", help="try an event again")
    discard = acts.add_parser("discard", help="give an event up for good; its key's later events go on")
    for act in (release, discard):
        act.add_argument("id", type=int)
    discard.add_argument("--because", required=True, help="kept in the audit")
    return parser.parse_args(arguments)


async def _run(dsn: str, wish: argparse.Namespace) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await speak_json(connection)
        match wish.act:
            case "list":
                return [dict(row) for row in await connection.fetch(sql("parked_list"), _MOST)]
            case "release":
                return [await release(connection, wish.id)]
            case _:
                return [await discard(connection, wish.id, wish.because)]
    finally:
        await connection.close()


async def release(connection: Connection, event: int) -> dict[str, Any]:
    """Let a parked event go again; the relay finds it at its next look. Raises `NotParked`."""
    async with connection.transaction():
        told = await _lock(connection, event)
        await connection.execute(sql("parked_release"), event)
        await _audit(connection, "event.released", told, None)
    return _shown(told, "released")


async def discard(connection: Connection, event: int, because: str) -> dict[str, Any]:
    """Remove a parked event; what waited behind it goes on without it. Raises `NotParked`."""
    async with connection.transaction():
        told = await _lock(connection, event)
        await connection.execute(sql("outbox_delete"), [event])
        await _audit(connection, "event.discarded", told, {"because": because})
    return _shown(told, "discarded")


async def _lock(connection: Connection, event: int) -> asyncpg.Record:
    row = await connection.fetchrow(sql("parked_lock"), event)
    if row is None:
        raise NotParked(f"no event {event} is parked; `python -m gateway parked list` shows those that are")
    return row


async def _audit(connection: Connection, action: str, row: asyncpg.Record, after: dict[str, Any] | None) -> None:
    headers = dict(row["headers"])
    before = {"topic": row["topic"], "key": row["key"], "why": row["parked_why"], "event_id": headers.get("ce_id")}
    correlation = headers.get("ce_correlationid") or f"event-{row['id']}"
    await connection.execute(
        sql("audit_insert"), *(_BY, action, "event", str(row["id"]), row["environment"], correlation, before, after)
    )


def _shown(row: asyncpg.Record, outcome: str) -> dict[str, Any]:
    return {"id": row["id"], "topic": row["topic"], "key": row["key"], "outcome": outcome}
