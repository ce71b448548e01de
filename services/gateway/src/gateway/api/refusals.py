"""One log line per refusal: why, for whoever looks at the id that a user was told. Bounded, as anyone may ask."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.types import Scope

from clearline.catalogue import Catalogue, ClearlineError

PER_CODE, PERIOD_SECONDS = 100, 10.0
"""More of one code in this time are counted, not told: a flood without a token must not bury the other lines."""
SERVER_ERROR = 500
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Told:
    since: float
    lines: int = 0
    kept_back: int = 0


class Refusals:
    """Tells refusals to the log. Codes come from the catalogue, so there is a bound to what is remembered."""

    def __init__(self, catalogue: Catalogue, monotonic: Callable[[], float]) -> None:
        self._catalogue = catalogue
        self._monotonic = monotonic
        self._told: dict[str, _Told] = {}

    def tell(self, error: ClearlineError, scope: Scope) -> None:
        """Say that this request was refused, and why. No pointer is said: it may hold a name that was sent."""
        translation = error.translation(self._catalogue)  # the one that counts misses
        told = self._of_now(translation.code)
        if told.lines >= PER_CODE:
            told.kept_back += 1
            return
        told.lines += 1
        defect = translation.http_status >= SERVER_ERROR and not translation.retryable
        (_log.warning if defect else _log.info)(
            "refused",
            code=error.code,
            status=translation.http_status,
            operation=getattr(scope.get("route"), "operation_id", None),
            detail=translation.operator_summary,
            fields=sorted({each.code for each in error.errors}),
        )

    def _of_now(self, code: str) -> _Told:
        """What was told of this code in its period. The end of a period tells what it kept back."""
        now = self._monotonic()
        told = self._told.get(code)
        if told is None or now - told.since >= PERIOD_SECONDS:
            if told is not None and told.kept_back:
                _log.warning("refusals that were not told one by one", code=code, kept_back=told.kept_back)
            told = self._told[code] = _Told(now)
        return told
