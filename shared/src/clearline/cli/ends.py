"""How a command ends: the exit codes that scripts rely on, and errors that say what happened and what to do."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from clearline.cli.answers import Problem

SERVER_FAULT = 500
CONFLICT = 409
PRECONDITION_FAILED = 412


class ExitCode(IntEnum):
    """Kept stable: CI jobs branch on them."""

    FINE = 0
    FAILED = 1
    """What was asked for was done or refused, and the result is no."""
    INCONCLUSIVE = 2
    """Nobody knows yet, or the command was used wrongly."""
    UNREACHABLE = 3
    """Clearline itself did not answer."""
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class CommandError(Exception):
    """The command cannot do what was asked."""

    exit_code = ExitCode.INCONCLUSIVE

    def __init__(self, sentence: str, *steps: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.steps = steps
        """What to do, in order."""


class WrongUseError(CommandError):
    """The command was given something that it cannot work with. The same again gives the same."""


class NoAnswerError(CommandError):
    """Clearline could not be reached, or something that is not Clearline answered. A retry may help."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, sentence: str, *steps: str, code: str | None = None, docs_url: str | None = None) -> None:
        super().__init__(sentence, *steps)
        self.code = code
        self.docs_url = docs_url


class RefusedError(CommandError):
    """Clearline answered with a problem. Whether a retry helps stands in the problem."""

    def __init__(self, problem: Problem, body: Mapping[str, Any], etag: str | None = None) -> None:
        super().__init__(problem.user_message or problem.title, *problem.remediation)
        self.problem = problem
        self.body = body
        self.etag = etag
        self.exit_code = _exit_code(problem.status)


def _exit_code(status: int) -> ExitCode:
    if status >= SERVER_FAULT:
        return ExitCode.UNREACHABLE
    if status in (CONFLICT, PRECONDITION_FAILED):
        return ExitCode.FAILED
    return ExitCode.INCONCLUSIVE
