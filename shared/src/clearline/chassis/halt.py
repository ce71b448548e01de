"""A consumer that stopped for too many dead letters stands still where it was, until a person starts it again."""

from collections.abc import Mapping

import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Partition
from clearline.chassis.metrics import Metrics
from clearline.chassis.progress import Progress, Standing
from clearline.chassis.pulse import TICK_SECONDS

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Halt:
    """Never undone: what follows a renewed membership is to hold the partitions, and no more."""

    def __init__(self, group: str, progress: Progress, metrics: Metrics, clock: Clock) -> None:
        self._group = group
        self._progress = progress
        self._stopped = metrics.stopped.labels(group)
        self._clock = clock
        self._stood: Mapping[Partition, Standing] | None = None

    @property
    def on(self) -> bool:
        """Whether it stands still."""
        return self._stood is not None

    def begin(self, standings: Mapping[Partition, Standing]) -> None:
        """It stopped here; the alarm."""
        self._stood = dict(standings)
        self._stopped.set(1)
        _LOG.critical(
            "too many dead letters: consumption stopped; look (clearline dead-letters list), mend the cause, restart",
            group=self._group,
        )

    async def last(self) -> None:
        """Let the lag grow in the metrics, until cancelled."""
        while True:
            self._progress.observe(self._stood or {})
            await self._clock.sleep(TICK_SECONDS)
