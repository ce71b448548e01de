"""How tests of declared connections are shown: a table in the order of the files, and every failure under it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearline.cli.answers import Verification
from clearline.cli.declared.declaration import Declared
from clearline.cli.ends import ExitCode, RefusedError
from clearline.cli.lines import Line
from clearline.cli.problem_view import error_lines, failure_lines, problem_body
from clearline.cli.verification_view import verdict_lines
from clearline.cli.waiting import exit_code as code_of

HEADERS = ("CONNECTION", "KIND", "STATUS", "TIME", "STEP", "CODE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One connection and how its test ended; `problem` where the gateway refused to begin it."""

    item: Declared
    seen: Verification | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)
    problem: RefusedError | None = None
    correlation_id: str | None = None

    @property
    def status(self) -> str:
        """In a word."""
        return self.seen.status if self.seen else "refused"

    def as_json(self) -> dict[str, Any]:
        """The test as the gateway tells it, with the connection's name and place."""
        place = {"label": self.item.label, "file": self.item.file, "line": self.item.place.line}
        if self.problem is not None:
            return {**place, "status": self.status, "problem": dict(problem_body(self.problem))}
        return {**place, **self.shown}


def row(one: Tried) -> tuple[str, ...]:
    """A connection in the table."""
    failure = one.seen.failure if one.seen else None
    spent = f"{sum(step.duration_ms for step in one.seen.steps):.0f} ms" if one.seen else ""
    refusal = problem_body(one.problem).get("code") or "" if one.problem else ""
    step, code = (failure.step or "", failure.code) if failure else ("", refusal)
    return one.item.label, one.item.kind.name, one.status, spent, step, code


def lines(tried: Sequence[Tried], timeout: float) -> Iterator[Line]:
    """All that is not verified, each with the line of the field to mend, and what all came to."""
    for one in tried:
        if one.status != "verified":
            failure = one.seen.failure if one.seen else None
            place = one.item.fault(failure.field, "", "").place if failure and failure.field else one.item.place
            yield Line("")
            yield Line(f"{one.item.label} ({place})", "bold")
            yield from _why(one, timeout)
    yield Line("")
    yield _counted(Counter(one.status for one in tried))


def exit_code(tried: Sequence[Tried]) -> ExitCode:
    """0 all verified, 1 one failed or was refused, 2 one ended without a verdict."""
    codes = {code_of(one.seen) if one.seen else ExitCode.FAILED for one in tried}
    return max(codes, key=(ExitCode.FINE, ExitCode.INCONCLUSIVE, ExitCode.FAILED).index)


def _why(one: Tried, timeout: float) -> Iterator[Line]:
    if one.problem is not None:
        yield from error_lines(one.problem)
    elif one.seen is not None and one.seen.failure is not None:
        yield from failure_lines(one.seen.failure, one.seen.correlation_id or one.correlation_id)
    elif one.status == "pending":
        told = f"Waited {timeout:g} s, then cancelled the test; wait longer with --timeout."
        yield Line(told, "bold", glyph="pending")
    elif one.seen is not None:
        yield from verdict_lines(one.seen, one.correlation_id)


def _counted(ends: Counter[str]) -> Line:
    total = ends.total()
    connections = "1 connection" if total == 1 else f"{total} connections"
    if ends["verified"] == total:
        return Line(f"{connections} verified", "bold", glyph="passed")
    return Line(f"{total - ends['verified']} of {connections} not verified", "bold", glyph="failed")
