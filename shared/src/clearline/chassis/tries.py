"""How often one record is tried before it is given up: five times, and not beyond thirty seconds."""

import random

from clearline.chassis.clock import Clock
from clearline.chassis.outcome import Dead, DeadReason, Ill, Retry
from clearline.chassis.retry import RECORD, RECORD_SECONDS, RECORD_TRIES, WORLD, Backoff


class Tries:
    """The tries of one record or batch. Those during an outage do not count."""

    def __init__(self, clock: Clock, *, between: Backoff = RECORD, most: int = RECORD_TRIES) -> None:
        self._clock = clock
        self._between = between
        self._most = most
        self._began = clock.monotonic()
        self._record = 0
        self._world = 0

    def failed(self, retry: Retry) -> Dead | float:
        """Seconds to wait before the next try, or the end of it."""
        if retry.ill is Ill.WORLD:
            self._world += 1
            self._began = self._clock.monotonic()
            return WORLD.wait(self._world, random.random)
        self._world = 0
        self._record += 1
        wait = self._between.wait(self._record, random.random)
        spent = self._clock.monotonic() - self._began + wait
        if self._record >= self._most or spent > RECORD_SECONDS:
            return Dead(DeadReason.HANDLER_FAILED, f"given up after {self._record} tries: {retry.reason}")
        return wait
