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
from gateway.read_model.pools import FAILING

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
        self._stopping = False

    async def wait(self, verification_id: UUID, seconds: float) -> bool:
        """Wait for its end, at most so long; False when the process stops meanwhile, and nobody may wait for it.

        While PostgreSQL is away nothing is known to end.
        """
        if self._stopping:
            return False
        over = asyncio.Event()
        self._waiting[verification_id].add(over)
        self._somebody_waits.set()
        try:
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            pass
        finally:
            self._leave(verification_id, over)
        return not self._stopping

    def let_go(self) -> None:
        """Keep nobody waiting from now on: their answers shall be out before the process is."""
        self._stopping = True
        for over in [each for waiters in self._waiting.values() for each in waiters]:
            over.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._somebody_waits.wait()
            try:
                rows = await self._pool.fetch(sql("verifications_ended"), list(self._waiting))
            except FAILING as error:
                _log.debug("nobody was told of ends", error=type(error).__name__)
            else:
                for over in [each for row in rows for each in self._waiting.get(row["id"], ())]:
                    over.set()
            await self._clock.sleep(EVERY_SECONDS)

    def _leave(self, verification_id: UUID, over: asyncio.Event) -> None:
        self._waiting[verification_id].discard(over)
        if not self._waiting[verification_id]:
            del self._waiting[verification_id]
        if not self._waiting:
            self._somebody_waits.clear()
