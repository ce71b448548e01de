"""Waits for a verification to end, telling of every step on the way."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clearline.cli.answers import Verification
from clearline.cli.ends import CommandError, ExitCode
from clearline.cli.reading import read

if TYPE_CHECKING:
    from clearline.cli.session import Session

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 0.5
"""Seconds between two looks: a step is seen soon, and a gateway hardly notices."""


def follow(
    session: "Session",
    path: str,
    timeout: float,
    on_change: Callable[[Verification], None],
) -> tuple[Verification, dict[str, Any]]:
    """The verification at `path` as it is when it has ended or `timeout` seconds are over.

    A gateway that does not answer is asked again until then; only the last silence is an error.
    """
    clock = session.surroundings
    end = clock.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        try:
            body = session.api.get(path).body
            seen = read(Verification, body)
            on_change(seen)
            if seen.status != "pending" or clock.monotonic() >= end:
                return seen, body
        except CommandError as error:
            if error.exit_code is not ExitCode.UNREACHABLE or clock.monotonic() >= end:
                raise
        clock.sleep(max(0.0, min(pause, end - clock.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def exit_code(verification: Verification) -> ExitCode:
    """0 proven, 1 failed, 2 nobody knows: still pending, cancelled, or a success that no longer holds."""
    match verification.status:
        case "verified":
            return ExitCode.FINE
        case "failed":
            return ExitCode.FAILED
        case _:
            return ExitCode.INCONCLUSIVE
