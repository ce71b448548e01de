"""The keys that stored credentials are sealed for, how far a rotation is, and which private keys may go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from clearline.contracts.topics import VERIFICATION_REQUESTS
from gateway.queries.reading import Json, Reading, Row
from gateway.read_model import sql

assert VERIFICATION_REQUESTS.retention_ms is not None
REQUESTS_KEPT = timedelta(milliseconds=VERIFICATION_REQUESTS.retention_ms, minutes=10)
"""A request on the bus may name a key for as long as its topic keeps it, and the clock's look is a minute old."""
MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """Everything about the installation's sealing keys; no key itself."""

    current: str

    async def run(self, reading: Reading) -> Json:
        census = await reading.connection.fetch(sql("sealing_key_census"))
        last = await reading.connection.fetchrow(sql("key_rotation_progress"))
        items = [_key(row, self.current, reading.now) for row in census]
        if all(item["key_id"] != self.current for item in items):
            items.append(_unused(self.current))
        left = sum(item["envelopes"] for item in items if not item["current"])
        rotation = None if last is None else {**_rotation(last), "failures": await _failures(reading, last)}
        return {"current_key_id": self.current, "items": items, "envelopes_left": left, "rotation": rotation}


def removable_at(row: Row, *, current: bool) -> datetime | None:
    """When a key's private half may go: a topic's retention after the last row named it; None while one does."""
    if current or row["envelopes"] or row["waits_for_kafka"] or row["last_named_at"] is None:
        return None
    named: datetime = row["last_named_at"]
    return named + REQUESTS_KEPT


def _key(row: Row, current_key: str, now: datetime) -> Json:
    current = row["key_id"] == current_key
    at = removable_at(row, current=current)
    shown = ("key_id", "envelopes", "connections", "oldest_at", "unreadable")
    named = now if row["envelopes"] else row["last_named_at"]  # what is stored names it at this moment
    return {
        **{name: row[name] for name in shown},
        "last_named_at": named,
        "current": current,
        "removable": at is not None and at <= now,
        "removable_at": at,
    }


def _unused(key_id: str) -> Json:
    nothing = {"oldest_at": None, "last_named_at": None, "removable_at": None, "removable": False}
    return {"key_id": key_id, "envelopes": 0, "connections": 0, "unreadable": 0, "current": True, **nothing}


def _rotation(row: Row) -> Json:
    running = row["asked_at"] is None or row["pending"] > 0
    shown = ("id", "key_id", "correlation_id", "requested_at", "requested_by", "pending", "resealed", "failed")
    return {**{name: row[name] for name in shown}, "status": "running" if running else "finished"}


async def _failures(reading: Reading, last: Row) -> list[Json]:
    """The first connections that kept an envelope as it was, of those that the caller may see."""
    rows = await reading.connection.fetch(sql("reseal_failures"), last["id"], MOST_FAILURES)
    return [
        {
            "connection_id": row["connection_id"],
            "name": row["name"],
            "environment": row["environment"],
            "at": row["completed_at"],
            **row["failure"],
        }
        for row in rows
    ]
