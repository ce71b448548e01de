"""Counts the active connections whose verification failed or expired, for the alert that says so.

Their beats go on: this is about what they would need to be activated today. Every gateway counts, for any may be asked.
"""

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from clearline.contracts.connection import ENVIRONMENTS
from gateway.metrics import UNPROVEN, GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import FAILING

EVERY_SECONDS = 15.0
_log = structlog.get_logger(__name__)


class UnprovenConnections:
    """The last count."""

    def __init__(self, pool: asyncpg.Pool, metrics: GatewayMetrics, clock: Clock) -> None:
        self._pool = pool
        self._metrics = metrics
        self._clock = clock

    async def run(self) -> None:
        """Count until cancelled. While PostgreSQL is away the last figures stay."""
        while True:
            try:
                await self.count()
            except FAILING as error:
                _log.debug("unproven connections were not counted", error=type(error).__name__)
            await self._clock.sleep(EVERY_SECONDS)

    async def count(self) -> None:
        """Count now; a state that nobody is in says 0, so that its alert resolves."""
        rows = await self._pool.fetch(sql("connections_unproven"))
        found = {(row["environment"], row["status"]): row["connections"] for row in rows}
        for environment in ENVIRONMENTS:
            for status in UNPROVEN:
                self._metrics.unproven.labels(environment, status).set(found.get((environment, status), 0))
