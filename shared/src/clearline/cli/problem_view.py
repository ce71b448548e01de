"""How failures are told: code, sentence, field, numbered remediation, reference, and the operator's half if it came."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clearline.cli.answers import Failure
from clearline.cli.declared.places import FaultsError
from clearline.cli.ends import CommandError, NoAnswerError, RefusedError
from clearline.cli.lines import Line


def error_lines(error: CommandError) -> list[Line]:
    """Why the command ends."""
    match error:
        case RefusedError(problem=problem):
            return [
                Line(f"{problem.code or problem.status}: {error.sentence}", "bold", glyph="failed"),
                *(_field_line(each.pointer, each.code, each.detail) for each in problem.errors),
                *steps_to_take(problem.remediation),
                *_again(problem.retry_after_seconds, retryable=problem.retryable),
                *_reference(problem.correlation_id),
            ]
        case FaultsError(faults=faults):
            return [Line(error.sentence, "bold", glyph="failed"), *(Line(str(fault), indent=2) for fault in faults)]
        case NoAnswerError(code=str() as code):
            return [Line(f"{code}: {error.sentence}", "bold", glyph="failed"), *steps_to_take(error.steps)]
        case _:
            return [Line(error.sentence, "bold", glyph="failed"), *steps_to_take(error.steps)]


def problem_body(error: CommandError) -> Mapping[str, Any]:
    """The same for programs: the gateway's problem object, or one of our own where it sent none (without a status)."""
    if isinstance(error, RefusedError):
        return error.body
    code, docs_url = (error.code, error.docs_url) if isinstance(error, NoAnswerError) else (None, None)
    if isinstance(error, FaultsError):
        code = "VALIDATION_FAILED"
    return {
        "type": docs_url or "about:blank",
        "title": "No answer" if isinstance(error, NoAnswerError) else "Wrong use",
        "detail": error.sentence,
        "code": code,
        "correlation_id": None,
        "user_message": error.sentence,
        "retryable": isinstance(error, NoAnswerError),
        "retry_after_seconds": None,
        "remediation": list(error.steps),
        "errors": [fault.as_json() for fault in error.faults] if isinstance(error, FaultsError) else [],
    }


def failure_lines(failure: Failure, correlation_id: str | None) -> Iterator[Line]:
    """A failed verification, in the catalogue's words."""
    yield Line(f"{failure.code}: {failure.message}", "bold", glyph="failed")
    if failure.field:
        yield Line(f"Field: {failure.field}", indent=2)
    yield from steps_to_take(failure.remediation)
    if failure.operator_detail:
        yield Line(f"For operators: {failure.operator_detail}", "dim", indent=2)
    yield from _reference(correlation_id)


def steps_to_take(steps: Iterable[str]) -> Iterator[Line]:
    """Numbered remediation."""
    numbered = [Line(f"{number}. {step}", indent=4) for number, step in enumerate(steps, 1)]
    if numbered:
        yield Line("What to do:", indent=2)
        yield from numbered


def _field_line(pointer: str, code: str, detail: str) -> Line:
    return Line(" ".join(part for part in (pointer, code and f"({code})", detail) if part), indent=2)


def _again(after: float | None, *, retryable: bool) -> Iterator[Line]:
    if after is not None:
        yield Line(f"Try again in {after:g} s.", indent=2)
    elif retryable:
        yield Line("The same may work later.", indent=2)


def _reference(correlation_id: str | None) -> Iterator[Line]:
    if correlation_id:
        yield Line(f"Reference: {correlation_id}", "dim", indent=2)
