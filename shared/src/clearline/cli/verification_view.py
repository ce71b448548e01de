"""How a verification is shown: a line per step with its time and evidence, then what it means."""

from collections.abc import Iterator
from typing import Any

from clearline.cli.answers import Step, Verification
from clearline.cli.lines import Line
from clearline.cli.moments import moment
from clearline.cli.problem_view import failure_lines

STEP_WIDTH = len("authenticate")
MAX_EVIDENCE = 160


def step_lines(verification: Verification) -> list[Line]:
    """One line per finished step."""
    return [_step_line(step) for step in verification.steps]


def verdict_lines(verification: Verification, correlation_id: str | None) -> Iterator[Line]:
    """What the verification came to."""
    reference = verification.correlation_id or correlation_id
    match verification.status:
        case "verified":
            until = f", valid until {moment(verification.expires_at)}" if verification.expires_at else ""
            yield Line(f"Verified{until}", "bold", glyph="passed")
        case "pending":
            yield Line("Still pending: nothing is known yet", "bold", glyph="pending")
        case "expired":
            proof = "The proof" if verification.revision is None else f"The proof of revision {verification.revision}"
            since = f" on {moment(verification.expires_at)}" if verification.expires_at else ""
            yield Line(f"{proof} expired{since}; verify again", "bold", glyph="warning")
        case _ if verification.failure is not None:
            yield from failure_lines(verification.failure, reference)
        case status:
            yield Line(f"{status.capitalize()}", "bold", glyph="failed")


def _step_line(step: Step) -> Line:
    match step.status:
        case "skipped":
            return Line(
                f"{step.name:<{STEP_WIDTH}}     skipped: {step.skipped_because or 'not needed'}", glyph="skipped"
            )
        case status:
            known = status if status in ("passed", "failed") else "pending"
            told = f"{step.name:<{STEP_WIDTH}} {_duration(step.duration_ms):>9}  {_evidence(step.evidence)}"
            return Line(told.rstrip(), glyph=known)


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"  # noqa: PLR2004 - ms per s


def _evidence(evidence: dict[str, Any]) -> str:
    told = ", ".join(
        f"{name.replace('_', ' ')} {_value(value)}" for name, value in evidence.items() if value not in ("", None)
    )
    return told if len(told) <= MAX_EVIDENCE else told[: MAX_EVIDENCE - 1] + "…"


def _value(value: Any) -> str:
    match value:
        case list() | dict() if not value:
            return "none"
        case list():
            return " ".join(_value(each) for each in value)
        case dict():
            return " ".join(f"{name}={_value(each)}" for name, each in value.items())
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case _:
            return str(value)
