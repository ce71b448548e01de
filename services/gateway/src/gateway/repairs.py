"""What the repair commands share: one of a kind at a time, lines of progress, a line in the audit, an end in words."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from clearline.chassis.scan import TopicMissing
from gateway.read_model import sql
from gateway.read_model.pools import AWAY, Connection

BY = "installation"
EVERY_SECONDS = 1.0
INTERRUPTED = 130

Say = Callable[[str], None]


class NotNow(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """The repair was not begun, and why."""


def say(line: str) -> None:
    """A line of progress, at once."""
    print(line, flush=True)  # noqa: T201 - this is what a person waits for


def run(work: Coroutine[Any, Any, None], *, if_interrupted: str) -> None:
    """Run a repair to its end. Exit code 1: it could not go on; what was done is done."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. {if_interrupted}\n")
        raise SystemExit(INTERRUPTED) from None
    except (NotNow, TopicMissing) as why:
        sys.exit(f"Nothing was done: {why}")
    except (KafkaError, asyncpg.PostgresError, *AWAY) as error:
        sys.exit(f"It could not go on: {type(error).__name__}. {if_interrupted}")


@asynccontextmanager
async def alone(pool: asyncpg.Pool, name: str) -> AsyncIterator[None]:
    """Hold the lock of this repair; it goes with the session, however that ends. Raises `NotNow`."""
    async with pool.acquire() as connection:
        if not await connection.fetchval(sql("repair_lock"), name):
            raise NotNow(f"{name} runs already, here or elsewhere")
        try:
            yield
        finally:
            await connection.execute("select pg_advisory_unlock_all()")


async def audit(connection: Connection, action: str, object_type: str, name: str, after: dict[str, Any]) -> None:
    """Say that it was done, beside what it did."""
    await connection.execute(
        sql("audit_insert"), BY, action, object_type, name, None, f"{action}-{name}"[:64], None, after
    )
