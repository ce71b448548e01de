"""How applying is shown: a row for each item in the order of the files, what differs, and every problem under it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from clearline.cli.applying.difference import Action, Change
from clearline.cli.applying.turn import Outcome
from clearline.cli.ends import ExitCode
from clearline.cli.lines import Line
from clearline.cli.problem_view import error_lines, failure_lines, problem_body

HEADERS = ("ACTION", "CONNECTION", "CHANGED", "RESULT")
_SHOWN = 120
"""Characters of a value in a difference; certificates are longer."""


def result_row(one: Outcome) -> tuple[str, ...]:
    """An item in the table."""
    return action(one), one.item.label, " ".join(_short(change.field) for change in one.plan.changes), _result(one)


def action(one: Outcome) -> str:
    """What is or would be done, in a word or two."""
    if one.plan.refusal is not None:
        return "refused"
    return ", ".join(one.plan.actions) or "unchanged"


def difference_lines(outcomes: Sequence[Outcome]) -> Iterator[Line]:
    """What a dry run says: each item that would change, with every field before and after."""
    for one in outcomes:
        if one.plan.actions:
            yield Line(f"{action(one)} {one.item.label} ({one.item.kind.name}, {one.item.place})", "bold")
            yield from (
                Line(_told(change, created=Action.CREATE in one.plan.actions), indent=4) for change in one.plan.changes
            )
            yield from (Line(f"/credentials/{name}: unknown", indent=4) for name in sorted(one.plan.unknown))


def trouble_lines(outcomes: Sequence[Outcome]) -> Iterator[Line]:
    """Every problem in full, under its item's name."""
    for one in outcomes:
        if one.status in ("failed", "pending"):
            yield Line("")
            yield Line(f"{one.item.label} ({one.item.place})", "bold")
        if one.problem is not None:
            yield from error_lines(one.problem)
        elif one.status == "failed" and one.failure is not None:
            yield from failure_lines(one.failure, one.verification.correlation_id if one.verification else None)
            if (one.failure.field or "").removeprefix("/credentials/") in one.plan.unknown:
                yield Line("The stored secret was tried. Where the file's is newer: --replace-credentials", indent=2)
        elif one.status == "failed":
            yield Line("Not activated: its verification ended without proof. Apply again.", glyph="failed")
        elif one.status == "pending":
            yield Line(
                "Not activated: its verification is still pending. Apply again to let it go live.", glyph="pending"
            )


def summary(outcomes: Sequence[Outcome], *, dry_run: bool) -> Line:
    """What all came to."""
    counts = Counter(one.status for one in outcomes)
    names = {} if dry_run else {"planned": "not begun"}
    told = ", ".join(
        f"{counts[status]} {names.get(status, status)}"
        for status in ("planned", "done", "unchanged", "pending", "failed")
        if counts[status]
    )
    unfinished = counts["pending"] or (counts["planned"] and not dry_run)
    glyph = "failed" if counts["failed"] else "pending" if unfinished else "passed"
    return Line(f"{told}{' (dry run: nothing was changed)' if dry_run else ''}", "bold", glyph=glyph)


def uncompared(outcomes: Sequence[Outcome]) -> str | None:
    """What is said where stored secrets could not be compared with the files'."""
    count = sum(len(one.plan.unknown) for one in outcomes)
    if not count:
        return None
    told = "1 stored credential was" if count == 1 else f"{count} stored credentials were"
    return (
        f"{told} left alone: nobody can compare what is stored with the file. "
        "After a rotation: --replace-credentials, or credentials_after in the file."
    )


def as_json(one: Outcome) -> dict[str, Any]:
    """An item's result for programs."""
    now = one.connection
    return {
        "name": one.item.name,
        "environment": one.item.environment,
        "kind": one.item.kind.name,
        "file": one.item.file,
        "line": one.item.place.line,
        "action": next(iter(one.plan.actions), "unchanged"),
        "actions": list(one.plan.actions),
        "changed": [{"field": c.field, "before": c.before, "after": c.after} for c in one.plan.changes],
        "unknown": [f"/credentials/{name}" for name in sorted(one.plan.unknown)],
        "status": one.status,
        "id": now.id if now else None,
        "revision": now.revision if now else None,
        "live_revision": now.live_revision if now else None,
        "lifecycle": now.lifecycle if now else None,
        "problem": dict(problem_body(one.problem)) if one.problem else None,
        "failure": msgspec.to_builtins(one.failure),
    }


def exit_code(outcomes: Sequence[Outcome]) -> ExitCode:
    """0 all as declared, 1 one failed, 2 one still pends, 3 where Clearline was away and nothing else failed."""
    problems = [one.problem for one in outcomes if one.status == "failed"]
    if problems and all(problem and problem.exit_code is ExitCode.UNREACHABLE for problem in problems):
        return ExitCode.UNREACHABLE
    if problems:
        return ExitCode.FAILED
    return ExitCode.INCONCLUSIVE if any(one.status == "pending" for one in outcomes) else ExitCode.FINE


def _result(one: Outcome) -> str:
    if one.problem is not None:
        code = problem_body(one.problem).get("code")
        return f"failed {code}" if code else "failed"
    return f"{one.status} {one.failure.code}" if one.failure and one.status == "failed" else one.status


def _short(field: str) -> str:
    """The last part of a pointer is what people know it by."""
    return field.rpartition("/")[2]


def _told(change: Change, *, created: bool) -> str:
    if change.field.startswith("/credentials/"):
        return f"{change.field}: {change.after or 'removed'}"
    after = _value(change.after)
    return f"{change.field}: {after}" if created else f"{change.field}: {_value(change.before)} → {after}"


def _value(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False)
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"
