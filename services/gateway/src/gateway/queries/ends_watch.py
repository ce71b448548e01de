"""Tells waiting requests that a verification or test has ended: one small question for all of them together.

Were each waiter to look for itself, two hundred of them would use up the pool that everybody else's requests need.
Whether a caller may see what has ended is not decided here: they look with their own rights before and after.
"""

import asyncio
from collections import defaultdict
from uuid import UUID

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from gateway.read_model import sql
from gateway.read_model.pools import AWAY

EVERY_SECONDS = 0.1
"""A quick verification takes about as long."""
_log = structlog.get_logger(__name__)


class EndsWatch:
    """Asks only while somebody waits."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._somebody_waits = asyncio.Event()

    async def wait(self, verification_id: UUID, seconds: float) -> bool:
        """Whether it ended within `seconds`. While PostgreSQL is away nothing is known to end."""
        ended = asyncio.Event()
        self._waiting[verification_id].add(ended)
        self._somebody_waits.set()
        try:
            await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._leave(verification_id, ended)
        return True

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._somebody_waits.wait()
            try:
                rows = await self._pool.fetch(sql("verifications_ended"), list(self._waiting))
            except (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.debug("nobody was told of ends", error=type(error).__name__)
            else:
                for ended in [each for row in rows for each in self._waiting.get(row["id"], ())]:
                    ended.set()
            await self._clock.sleep(EVERY_SECONDS)

    def _leave(self, verification_id: UUID, ended: asyncio.Event) -> None:
        self._waiting[verification_id].discard(ended)
        if not self._waiting[verification_id]:
            del self._waiting[verification_id]
        if not self._waiting:
            self._somebody_waits.clear()
