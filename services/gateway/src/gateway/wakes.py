"""Wakes the relay once a command has committed, one notice for all that committed meanwhile.

A NOTIFY in the command's own transaction would make commands commit one after the other: PostgreSQL holds a lock on all
notices until the commit is on the disk. A wake that is lost with this process costs the relay's next poll, a second.
"""

import asyncio
from types import MappingProxyType

import asyncpg
import structlog

from gateway.read_model import sql
from gateway.read_model.pools import FAILING

AFTER_COMMIT = MappingProxyType({"clearline.wakes_relay": "after_commit"})
"""Settings of a session whose commands are announced here and not by the trigger of the outbox."""
KEPT_SECONDS = 1.0
"""A connection that is given back after each notice would be asked three times as much."""
_log = structlog.get_logger(__name__)


class Wakes:
    """One per gateway process. `pool` must not be the commands': they would queue behind each other."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._asked = asyncio.Event()

    def tell(self) -> None:
        """Something may have been committed to the outbox."""
        self._asked.set()

    async def run(self) -> None:
        """Announce until cancelled. While PostgreSQL is away nothing is repeated: the relay looks when it is back."""
        while True:
            await self._asked.wait()
            try:
                async with self._pool.acquire() as connection:
                    while await self._is_asked():
                        self._asked.clear()
                        await connection.execute(sql("outbox_announce"))
            except FAILING as error:
                self._asked.clear()
                _log.debug("the relay was not woken; it polls", error=type(error).__name__)

    async def _is_asked(self) -> bool:
        try:
            async with asyncio.timeout(KEPT_SECONDS):  # `wait_for` may swallow a cancellation that comes with a wake
                await self._asked.wait()
        except TimeoutError:
            return False
        return True
