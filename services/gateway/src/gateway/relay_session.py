"""The session with PostgreSQL that holds the relay's lock: it hears of news, and its end is the end of the lock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg

from gateway.read_model.pools import server_settings, speak_json

LOCK = 0x6F75_7462_6F78  # "outbox"
_SETTINGS = {
    "idle_session_timeout": "10000",  # a frozen relay loses its session, and with it the lock
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",  # so does one whose machine is gone
    "enable_seqscan": "off",  # the table swings between empty and 100,000 rows: only the walk along the key is right
    "enable_sort": "off",
}


@dataclass(slots=True)
class RelaySession:
    """The connection, what it heard, and whether it lives."""

    connection: asyncpg.Connection
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    terminated: asyncio.Event = field(default_factory=asyncio.Event)

    async def take_lock(self) -> bool:
        """Whether this session leads now; it does until it ends."""
        return bool(await self.connection.fetchval("select pg_try_advisory_lock($1)", LOCK))

    async def wait_for_news(self, seconds: float, stopping: asyncio.Event) -> None:
        """Return at the next NOTIFY, after `seconds`, when the session ends or `stopping` is set."""
        waits = {asyncio.ensure_future(event.wait()) for event in (self.has_news, stopping)}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def on_notified(self, *_: object) -> None:
        self.has_news.set()

    def on_terminated(self, _: object) -> None:
        self.terminated.set()
        self.has_news.set()


@contextlib.asynccontextmanager
async def open_session(dsn: str) -> AsyncIterator[RelaySession]:
    """A session that listens. Raises what asyncpg raises while PostgreSQL is away."""
    settings = server_settings("relay", 10_000) | _SETTINGS
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=15, server_settings=settings)
    session = RelaySession(connection)
    try:
        await speak_json(connection)
        connection.add_termination_listener(session.on_terminated)
        await connection.add_listener("clearline_outbox", session.on_notified)
        yield session
    finally:
        # Closing politely may wait for a server that is gone; the lock must go at once.
        connection.terminate()
