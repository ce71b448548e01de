"""P12: what it costs that the database itself decides which rows a caller sees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from bench.measuring import Figure, Pair, Run, Stopwatch, compare
from bench.servers import Servers
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_verification, succeed

from gateway.queries.connections import ConnectionById, ListConnections
from gateway.queries.reading import Reading
from gateway.read_model.pools import speak_json
from gateway.security.principal import Caller, Principal
from gateway.security.rights import assume

CONNECTIONS = 1_000
TRANSACTIONS = 200
_SCOPED = "select relname from pg_class where relrowsecurity and relnamespace = 'public'::regnamespace"
_CALLER = Caller(
    Principal(id=UUID(int=1), name="bench", role="operator", environments=("development",)), "bench-correlation"
)


async def row_security(servers: Servers, scale: float) -> list[Figure]:
    """A page of fifty and one connection by its id, with policies and without them."""
    amount = max(10, round(TRANSACTIONS * scale))
    async with servers.migrated() as guarded, servers.migrated() as open_to_all:
        for database in (guarded, open_to_all):
            await _fill(database, round(CONNECTIONS * scale) + 60)
        await _without_policies(open_to_all)
        async with _session(guarded) as ours, _session(open_to_all) as floor:
            pairs = await compare(lambda: _asked(ours, amount), lambda: _asked(floor, amount))
    times = tuple(Pair(1 / pair.ours, 1 / pair.floor, pair.ours_cpu_seconds, pair.floor_cpu_seconds) for pair in pairs)
    return [
        Figure(number="P12", what="a page of connections under row-level security", floor="the same without policies",
               sense="at most", goal=1.15, pairs=times, unit="s"),
    ]  # fmt: skip


async def _asked(session: asyncpg.Connection, amount: int) -> Run:
    with Stopwatch() as watch:
        for _ in range(amount):
            async with session.transaction():
                now = await assume(session, _CALLER.principal)
                reading = Reading(connection=session, caller=_CALLER, now=now)
                page = await ListConnections(limit=50).run(reading)
                await ConnectionById(UUID(str(page["items"][0]["id"]))).run(reading)
    return watch.run(amount)


async def _fill(database: MigratedDatabase, amount: int) -> None:
    """Connections with a verified revision each, half of them of another environment."""
    async with database.connect() as owner:
        for number in range(amount):
            environment = "development" if number % 2 else "production"
            connection_id = await add_connection(owner, environment=environment)
            await succeed(owner, await add_verification(owner, connection_id, environment=environment))
        await owner.execute("analyze")


async def _without_policies(database: MigratedDatabase) -> None:
    async with database.connect() as owner:
        for row in await owner.fetch(_SCOPED):
            await owner.execute(f'alter table "{row["relname"]}" disable row level security')


@asynccontextmanager
async def _session(database: MigratedDatabase) -> AsyncIterator[asyncpg.Connection]:
    session = await asyncpg.connect(database.login("clearline_api"))
    await speak_json(session)
    try:
        yield session
    finally:
        await session.close()
