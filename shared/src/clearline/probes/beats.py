"""The beat policy as somebody gives it: its defaults and bounds, the same in a request and in a file."""

from collections.abc import Iterator
from dataclasses import dataclass

from clearline.catalogue import FieldError
from clearline.contracts.connection import BeatPolicy

MIN_INTERVAL, MAX_INTERVAL = 5, 86_400
MAX_THRESHOLD = 100
MAX_DEGRADED_MS = 86_400_000
DEFAULT_TIMEOUT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatDraft:
    """A beat policy as given; the timeout's default follows the interval."""

    interval_seconds: int = 30
    timeout_seconds: int | None = None
    failure_threshold: int = 2
    recovery_threshold: int = 2
    degraded_after_ms: int | None = None

    @property
    def timeout(self) -> int:
        """Seconds that a beat may take."""
        return min(DEFAULT_TIMEOUT, self.interval_seconds) if self.timeout_seconds is None else self.timeout_seconds

    def faults(self) -> Iterator[FieldError]:
        """What lies outside its bounds: interval 5 s to a day, timeout at most the interval."""
        bounds = (
            ("interval_seconds", self.interval_seconds, MIN_INTERVAL, MAX_INTERVAL),
            ("timeout_seconds", self.timeout, 1, max(1, min(self.interval_seconds, MAX_INTERVAL))),
            ("failure_threshold", self.failure_threshold, 1, MAX_THRESHOLD),
            ("recovery_threshold", self.recovery_threshold, 1, MAX_THRESHOLD),
            ("degraded_after_ms", self.degraded_after_ms, 1, MAX_DEGRADED_MS),
        )
        for name, value, low, high in bounds:
            if value is not None and not low <= value <= high:
                yield FieldError.of(f"/beat/{name}", "FIELD_RANGE", minimum=low, maximum=high)

    def policy(self) -> BeatPolicy:
        """The same with every default filled in; only for a draft without faults."""
        return BeatPolicy(
            interval_seconds=self.interval_seconds,
            timeout_seconds=self.timeout,
            failure_threshold=self.failure_threshold,
            recovery_threshold=self.recovery_threshold,
            degraded_after_ms=self.degraded_after_ms,
        )
