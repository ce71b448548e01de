"""Tells that nobody answers verifications long before the clock ends them: to readiness, and so to `clearline doctor`.

While no verifier lives, requests are accepted and wait; whoever waits for one would not know why.
"""

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.health import CheckResult
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import FAILING

EVERY_SECONDS = 5.0
LONG_SECONDS = 90.0
"""A climb takes a minute at most, and few wait behind another one of their connection."""
_log = structlog.get_logger(__name__)


class UnansweredRequests:
    """The last look at what is pending."""

    def __init__(self, pool: asyncpg.Pool, metrics: GatewayMetrics, clock: Clock) -> None:
        self._pool = pool
        self._metrics = metrics
        self._clock = clock
        self._pending, self._seconds = 0, 0.0

    def check(self) -> CheckResult:
        """For readiness, which it does not decide: the gateway takes requests all the same."""
        if self._seconds < LONG_SECONDS:
            return CheckResult(ok=True, detail=f"{self._pending} pending")
        told = f"{self._pending} pending, the oldest for {self._seconds:.0f} s: does a verifier run?"
        return CheckResult(ok=False, detail=told)

    async def run(self) -> None:
        """Look until cancelled. While PostgreSQL is away the last figures stay."""
        while True:
            try:
                await self.look()
            except FAILING as error:
                _log.debug("pending verifications were not counted", error=type(error).__name__)
            await self._clock.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Look now, and say once when it changes whether somebody answers."""
        answered = self.check().ok
        [row] = await self._pool.fetch(sql("verifications_pending"))
        self._pending, self._seconds = row["pending"], row["seconds"]
        self._metrics.oldest_pending.set(self._seconds)
        now = self.check()
        if now.ok != answered:
            (_log.info if now.ok else _log.warning)("verifications", answered=now.ok, detail=now.detail)
