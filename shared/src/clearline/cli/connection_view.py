"""How connections are shown: one in full, many as rows, and what became of one over time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clearline.cli.answers import Connection, Verification
from clearline.cli.lines import Line
from clearline.cli.moments import moment
from clearline.cli.verification_view import step_lines, verdict_lines

HEADERS = ("ENVIRONMENT", "NAME", "KIND", "LIFECYCLE", "VERIFICATION", "HEALTH", "REVISION", "LAST VERIFIED")
AUDIT_HEADERS = ("AT", "WHO", "WHAT", "OBJECT", "ENVIRONMENT", "REFERENCE", "CHANGES")
HISTORY_HEADERS = ("AT", "WHO", "WHAT", "CHANGES")
_WIDTH = len("credentials")


def row(one: Connection) -> tuple[str, ...]:
    """A connection in a list."""
    return (
        one.environment,
        one.name,
        one.kind,
        one.lifecycle,
        _tested(one.verification),
        one.health,
        _revisions(one),
        moment(one.last_verified_at),
    )


def connection_lines(one: Connection) -> Iterator[Line]:
    """Everything about one connection that a person asks first."""
    yield Line(f"{one.label} ({one.kind}, {one.lifecycle})", "bold")
    facts: dict[str, str] = {
        "id": one.id,
        "owner": one.owner or "(none)",
        "health": one.health,
        "revision": _revisions(one),
        "beat": _pairs(one.beat),
        "changed": moment(one.updated_at),
    }
    yield from (Line(f"{name:<{_WIDTH}} {value}", indent=2) for name, value in facts.items())
    yield from (_fact("config", name, value) for name, value in sorted(one.config.items()))
    yield from (_fact("credentials", name, _stored(value)) for name, value in sorted(one.credentials.items()))
    yield Line(f"Verification of revision {one.revision}: {_tested(one.verification)}", "bold")
    if one.verification is not None:
        yield from step_lines(one.verification)
        yield from verdict_lines(one.verification, None)
        if one.verification.status == "expired":
            yield Line(f"Verify it again: clearline verify {one.argument} --wait", indent=2)
    if one.live is not None:
        yield Line(f"Revision {one.live.revision} stays live: {_pairs(one.live.config)}", "bold")


def audit_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """One entry of the audit, whatever it is about."""
    at, who, what, changes = history_row(entry)
    about = f"{entry.get('object_type', '')} {entry.get('object_id', '')}"
    reference = str(entry.get("correlation_id", ""))
    return (
        at,
        who,
        what,
        about,
        str(entry.get("environment") or ""),
        reference,
        changes,
    )  # the longest is last: no padding


def history_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """One change: when, who, what, and before → after of what differs."""
    before, after = entry.get("before") or {}, entry.get("after") or {}
    return (
        moment(entry.get("at")),
        str(entry.get("principal", "")),
        str(entry.get("action", "")),
        "; ".join(_changes("", before, after)) or ", ".join(entry.get("parts") or ()),  # viewers read the parts
    )


def _changes(prefix: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict) and (before or prefix):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(f"{prefix}.{name}" if prefix else name, before.get(name), after.get(name))
    elif isinstance(after, dict) and not prefix:
        yield from (f"{name}: {_told(value)}" for name, value in after.items() if value not in (None, {}))
    elif before != after:
        yield f"{prefix}: {_told(before)} → {_told(after)}"


def _tested(verification: Verification | None) -> str:
    return "not tested" if verification is None else verification.status


def _revisions(one: Connection) -> str:
    notes = []
    if one.live_revision is not None and one.live_revision != one.revision:
        notes.append(f"{one.live_revision} live")
    if one.staged_revision is not None:
        notes.append(f"{one.staged_revision} staged")
    return f"{one.revision} ({', '.join(notes)})" if notes else str(one.revision)


def _fact(group: str, name: str, value: Any) -> Line:
    return Line(f"{group:<{_WIDTH}} {name} = {_told(value)}", indent=2)


def _stored(value: Any) -> str:
    match value:
        case {"stored": True, "changed_at": str(changed_at)}:
            return f"stored, changed {moment(changed_at)}"
        case {"stored": True}:
            return "stored"
        case _:
            return "none"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_told(value)}" for name, value in values.items() if value is not None)


def _told(value: Any) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value, ensure_ascii=False)
