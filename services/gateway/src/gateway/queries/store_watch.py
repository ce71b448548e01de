"""Whether PostgreSQL answers and has the schema: asked beside the requests, so that readiness asks nobody."""

import asyncpg
import structlog

from clearline.chassis.clock import Clock
from clearline.chassis.health import CheckResult
from gateway.migrate import schema_version
from gateway.read_model.pools import FAILING

EVERY_SECONDS = 1.0
_ASK_SECONDS = 3.0
_log = structlog.get_logger(__name__)


class StoreWatch:
    """The last look at the database, at most a few seconds old."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._result = CheckResult(ok=False, detail="not asked yet")
        self._schema_seen = False

    def check(self) -> CheckResult:
        """For readiness."""
        return self._result

    def schema_is_there(self) -> bool:
        """Whether it was seen once: a schema does not go away, but PostgreSQL may before it has one."""
        return self._schema_seen

    async def run(self) -> None:
        """Look until cancelled, and say once when something changes."""
        while True:
            result = await self.look()
            if result != self._result:
                (_log.info if result.ok else _log.warning)("PostgreSQL", ok=result.ok, detail=result.detail)
            self._result = result
            await self._clock.sleep(EVERY_SECONDS)

    async def look(self) -> CheckResult:
        """Ask now."""
        try:
            async with self._pool.acquire(timeout=_ASK_SECONDS) as connection:
                found = await connection.fetchval("select max(version) from schema_migrations", timeout=_ASK_SECONDS)
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
            found = None
        except FAILING as error:
            return CheckResult(ok=False, detail=f"PostgreSQL does not answer: {type(error).__name__}")
        return self._judge(found)

    def _judge(self, found: int | None) -> CheckResult:
        wanted = schema_version()
        if found is None or found < wanted:
            return CheckResult(ok=False, detail=f"the schema is {found}, wanted {wanted}: run gateway migrate")
        self._schema_seen = True
        return CheckResult(ok=True, detail=f"answers, schema {found}")
