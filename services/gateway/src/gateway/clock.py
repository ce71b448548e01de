"""Does what is due because time went by. Any number of gateways run it: each takes the rows that no other has taken.

What is due is told by the database's clock, read in the transaction that acts on it: a gateway whose own clock is ahead
would end what is still running, and date its end so late that no later success counted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway import outbox, overdue, renewals
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import FAILING, Connection
from gateway.renewals import Renewals
from gateway.rotation import RotationDuties

TOMBSTONE_AFTER = timedelta(days=7)
IDEMPOTENCY_KEYS_KEPT = timedelta(hours=24)
_MOST = 100  # rows in one transaction; a turn takes as many as there are
_MOST_PARTITIONS = 200  # at one transaction each: a week of standing still is caught up in one turn

_log = structlog.get_logger(__name__)

Duty = Callable[[Connection, datetime], Awaitable[int]]
"""One transaction's worth of what is due; returns how much it was, 0 when nothing is left."""


async def database_time(connection: Connection) -> datetime:
    """The one clock that all gateways share."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    return now


def retired_before(now: datetime) -> datetime:
    """Connections retired earlier vanish from the compacted topic."""
    return now - TOMBSTONE_AFTER


def forgotten_before(now: datetime) -> datetime:
    """Idempotency keys used earlier are free again."""
    return now - IDEMPOTENCY_KEYS_KEPT


def pause(interval: timedelta, chance: float) -> float:
    """Seconds to the next turn: the interval give or take a fifth, so that gateways do not turn as one."""
    return interval.total_seconds() * (0.8 + 0.4 * chance)


@dataclass(frozen=True, slots=True)
class Duties:
    """What is done, one transaction at a time."""

    connections: Topic = CONNECTIONS
    renewals: Renewals = field(default_factory=Renewals)
    rotation: RotationDuties = field(default_factory=RotationDuties)

    def all(self) -> Mapping[str, tuple[Duty, int]]:
        """Each by its name, with the most turns it gets in a row."""
        return {
            "overdue_verifications": (overdue.end_overdue_verifications, _MOST),
            "overdue_tests": (overdue.end_overdue_tests, _MOST),
            "old_tests": (overdue.forget_old_tests, _MOST),
            "renewals": (self.renewals.renew, renewals.TURNS),
            "tombstones": (self.bury_retired_connections, _MOST),
            "partitions": (self.maintain_partitions, _MOST_PARTITIONS),
            "idempotency_keys": (self.forget_idempotency_keys, _MOST),
            "named_keys": (self.rotation.note_named_keys, _MOST),
            "reseal_requests": (self.rotation.ask_for_reseals, _MOST),
            "unanswered_reseals": (self.rotation.end_unanswered_reseals, _MOST),
        }

    async def bury_retired_connections(self, connection: Connection, now: datetime) -> int:
        rows = await connection.fetch(sql("connections_to_bury"), retired_before(now), _MOST)
        for row in rows:
            await outbox.append_tombstone(connection, self.connections, str(row["id"]))
        await connection.execute(sql("connections_bury"), [row["id"] for row in rows], now)
        return len(rows)

    async def forget_idempotency_keys(self, connection: Connection, now: datetime) -> int:
        """They ran out by themselves; this only makes room."""
        gone = await connection.execute(sql("idempotency_purge"), forgotten_before(now), _MOST)
        return int(gone.removeprefix("DELETE "))

    async def maintain_partitions(self, connection: Connection, now: datetime) -> int:
        done: int = await connection.fetchval("select maintain_partitions($1)", now)
        return done


class Timekeeper:
    """Turns the duties of one gateway."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        clock: Clock,
        metrics: GatewayMetrics,
        interval: timedelta,
        chance: Callable[[], float],
        duties: Duties | None = None,
        time: Callable[[Connection], Awaitable[datetime]] = database_time,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._chance = chance
        self._duties = (duties or Duties()).all()
        self._time = time
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Turn until cancelled. A duty that fails (PostgreSQL away, a lock that is taken) has its next turn."""
        while True:
            await self.turn()
            await self._clock.sleep(pause(self._interval, self._chance()))

    async def turn(self) -> None:
        """Do everything that is due now. What keeps failing is said once, and once when it is over."""
        for name, (duty, most) in self._duties.items():
            try:
                await self._turn_duty(name, duty, most)
            except Exception as error:  # noqa: BLE001 - one row that a duty stumbles over must not take HTTP down
                self._metrics.clock_failed.labels(name).inc()
                if name not in self._failing:
                    trace = None if isinstance(error, FAILING) else error
                    _log.warning(
                        "a duty of the clock fails; trying on", duty=name, error=type(error).__name__, exc_info=trace
                    )
                self._failing.add(name)
            else:
                if name in self._failing:
                    _log.info("a duty of the clock is done again", duty=name)
                self._failing.discard(name)

    async def _turn_duty(self, name: str, duty: Duty, most: int) -> None:
        for _ in range(most):
            async with self._pool.acquire() as connection, connection.transaction():
                done = await duty(connection, await self._time(connection))
            if not done:
                return
            self._metrics.clock_done.labels(name).inc(done)
            await asyncio.sleep(0)
