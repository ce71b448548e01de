"""How full the outbox is. Every gateway measures it, to refuse commands once Kafka has been away too long."""

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import FAILING

_EVERY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class OutboxDepth:
    """The last measurement. It is at most a few seconds old, so the limit is a soft one."""

    def __init__(self, pool: asyncpg.Pool, metrics: GatewayMetrics, clock: Clock, limit: int) -> None:
        self._pool = pool
        self._metrics = metrics
        self._clock = clock
        self._limit = limit
        self.pending = 0

    @property
    def is_full(self) -> bool:
        """Whether commands should be refused until Kafka has taken some of what waits."""
        return self.pending >= self._limit

    async def run(self) -> None:
        """Measure until cancelled. While PostgreSQL is away the last figures stay."""
        while True:
            try:
                await self.measure()
            except FAILING as error:
                _log.debug("the outbox was not measured", error=type(error).__name__)
            await self._clock.sleep(_EVERY_SECONDS)

    async def measure(self) -> None:
        """Measure now."""
        row = await self._pool.fetchrow(sql("outbox_depth"))
        assert row is not None
        self.pending = row["pending"] + row["parked"]
        self._metrics.outbox_pending.set(row["pending"])
        self._metrics.outbox_parked.set(row["parked"])
        self._metrics.outbox_oldest.set(row["oldest_seconds"])
