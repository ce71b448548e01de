"""An ill dependency seen by one consumer: everyone waits, it is said once when it begins and once when it is over."""

import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.metrics import Metrics

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Outage:
    """On or over."""

    def __init__(self, group: str, metrics: Metrics, clock: Clock) -> None:
        self._group = group
        self._gauge = metrics.waiting.labels(group)
        self._clock = clock
        self._since: float | None = None
        self.reason = ""

    @property
    def on(self) -> bool:
        """Whether a dependency is ill now."""
        return self._since is not None

    def begin(self, reason: str) -> None:
        """A dependency is ill; said once."""
        self.reason = reason
        if self._since is not None:
            return
        self._since = self._clock.monotonic()
        self._gauge.set(1)
        _LOG.warning(
            "a dependency is away; waiting and trying again until it is back", group=self._group, reason=reason
        )

    def over(self) -> None:
        """It is well again; said once."""
        if self._since is None:
            return
        seconds = round(self._clock.monotonic() - self._since, 3)
        self._since, self.reason = None, ""
        self._gauge.set(0)
        _LOG.info("the dependency is back; going on", group=self._group, seconds=seconds)

    def reset(self) -> None:
        """Our work was handed over: whether the dependency is ill is for its next owner to find out."""
        self._since, self.reason = None, ""
        self._gauge.set(0)
