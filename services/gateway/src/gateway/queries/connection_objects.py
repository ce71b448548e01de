"""Connections as every endpoint shows them, from set-based statements: the same for one and for a page of 200."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from gateway.queries.reading import Json, Reading, Row
from gateway.queries.verification_objects import verification_objects
from gateway.read_model import sql

Pair = tuple[UUID, int]
"""A connection's id and a revision's number."""

_PLAIN = ("id", "name", "environment", "owner", "kind", "beat", "lifecycle", "revision", "live_revision")


async def connection_objects(reading: Reading, rows: Sequence[Row]) -> list[Json]:
    """One object per row of `service_connection_profiles`, in their order."""
    pairs = sorted({pair for row in rows for pair in _pairs(row)})
    ids, numbers = [each for each, _ in pairs], [number for _, number in pairs]
    fetch = reading.connection.fetch
    configs = {_pair(row): row["config"] for row in await fetch(sql("configs_of"), ids, numbers)}
    secrets: dict[Pair, Json] = {pair: {} for pair in pairs}
    for row in await fetch(sql("stored_credentials_of"), ids, numbers):
        secrets[_pair(row)][row["field"]] = {"stored": True, "changed_at": row["changed_at"]}
    newest = await fetch(sql("newest_verifications_of"), ids, numbers)
    shown = await verification_objects(reading, newest)
    verifications = {_pair(row): shown[row["id"]] for row in newest}
    until = {_pair(row): row["until"] for row in await fetch(sql("verified_until_of"), ids, numbers)}
    last = {row["connection_id"]: row["at"] for row in await fetch(sql("last_verified_of"), list({*ids}))}
    contents = {
        pair: {
            "config": configs.get(pair, {}),
            "credentials": secrets[pair],
            "verification": verifications.get(pair),
            "verified_until": until.get(pair),
        }
        for pair in pairs
    }
    return [_object(row, contents, last.get(row["id"])) for row in rows]


def _object(row: Row, contents: Mapping[Pair, Json], last_verified_at: object) -> Json:
    number, live = row["revision"], row["live_revision"]
    staged = live is not None and live != number
    shown: Json = {name: row[name] for name in _PLAIN}
    shown |= contents[row["id"], number]
    shown |= {
        "health": "unknown",  # nobody beats yet, and what nobody watches is never green
        "staged_revision": number if staged else None,
        "last_live_revision": row["last_live_revision"],
        "last_verified_at": last_verified_at,
        "created_at": row["created_at"],
        "created_by": row["created_by"],
        "updated_at": row["updated_at"],
        "updated_by": row["updated_by"],
        "version": row["sequence"],
    }
    if staged:
        shown["live"] = {"revision": live, **contents[row["id"], live]}
    return shown


def _pairs(row: Row) -> set[Pair]:
    return {(row["id"], number) for number in (row["revision"], row["live_revision"]) if number is not None}


def _pair(row: Row) -> Pair:
    return row["connection_id"], row["revision"]
