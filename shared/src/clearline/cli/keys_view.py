"""Sealing keys and their rotation as people read them."""

from collections.abc import Iterator
from typing import Any

from clearline.cli.lines import Line
from clearline.cli.moments import moment

HEADERS = ("KEY", "STATE", "CREDENTIALS", "CONNECTIONS", "UNREADABLE", "LAST NAMED", "PRIVATE HALF")


def key_row(key: dict[str, Any]) -> tuple[str, ...]:
    """One key."""
    counts = (str(key["envelopes"]), str(key["connections"]), str(key["unreadable"] or "-"))
    state = "current" if key["current"] else "going out" if key["envelopes"] else "out of use"
    return (key["key_id"], state, *counts, moment(key["last_named_at"]), _private_half(key))


def _private_half(key: dict[str, Any]) -> str:
    if key["current"] or key["envelopes"]:
        return "needed"
    if key["removable"]:
        return "may go"
    return f"needed until {moment(key['removable_at'])}" if key["removable_at"] else "needed: events wait for Kafka"


def rotation_lines(body: dict[str, Any]) -> Iterator[Line]:
    """How far it is, and what did not work."""
    left, rotation = body["envelopes_left"], body["rotation"]
    if rotation is not None:
        counts = (
            f"{rotation['resealed']} connections done, {rotation['pending']} asked for, {rotation['failed']} failed"
        )
        glyph = "warning" if rotation["failed"] else "passed" if rotation["status"] == "finished" else None
        yield Line(f"Rotation to {rotation['key_id']} {rotation['status']}: {counts}.", glyph=glyph)
        for failure in rotation["failures"]:
            name = f"{failure['environment']}/{failure['name']}"
            yield Line(f"{name} {failure['field'] or ''}: {failure['code']}: {failure['operator_detail']}", indent=4)
    if left == 0:
        yield Line("Every stored credential is sealed for the current key.")
    elif rotation is None or rotation["status"] == "finished":
        yield Line(f"{left} credentials are stored under other keys: clearline keys rotate --wait")
    else:
        yield Line(f"{left} credentials to go.")
