"""What readiness is made of: named checks, each with a sentence a person can act on."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether one part of a process can do its work now, and what it says about that."""

    ok: bool
    detail: str


Check = Callable[[], CheckResult]
"""Looks at state that is there already. It asks no dependency and returns at once."""


class Health:
    """The checks of one process. `required` ones decide about readiness, the others are only told."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Check, bool]] = {}

    def add(self, name: str, check: Check, *, required: bool = True) -> None:
        """Add a check under a name that is not taken yet."""
        if name in self._checks:
            raise ValueError(f"there is a check {name!r} already")
        self._checks[name] = (check, required)

    def ready(self) -> tuple[bool, dict[str, CheckResult]]:
        """Whether work can be done, and every check by name. A check that raises has failed."""
        results = {name: _run(check) for name, (check, _) in self._checks.items()}
        ok = all(results[name].ok for name, (_, required) in self._checks.items() if required)
        return ok, results


def _run(check: Check) -> CheckResult:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a broken check must not take /health down with it
        return CheckResult(ok=False, detail=f"the check itself failed: {type(error).__name__}")
