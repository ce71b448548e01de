"""The narrow object through which HTTP reaches everything: a caller, one command or question, one transaction.

Nothing behind it knows HTTP, and nothing before it knows SQL or Kafka.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from clearline.catalogue import ClearlineError
from clearline.chassis.outcome import Ill
from clearline.chassis.retry import classify
from gateway.commands.once import brings, once
from gateway.commands.told import told
from gateway.commands.work import Command, Tools, Work
from gateway.queries.connections import ConnectionById
from gateway.queries.reading import Question, Reading
from gateway.read_model.pools import Connection
from gateway.security.authentication import authenticate
from gateway.security.principal import Caller, Principal
from gateway.security.rights import assume

R = TypeVar("R")

ACQUIRE_SECONDS = 2.0
"""A request that waits longer for a connection is told so, rather than queueing behind others that wait."""
RETRY_AFTER_SECONDS = 5
DEFECTS = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)
"""Elsewhere these may mean a schema that is still to come; no request is let in before it is there."""


class Desk:
    """Takes commands and questions of callers that the database knows."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        tools: Tools,
        schema_is_there: Callable[[], bool] = lambda: True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` is called after each command: it wakes the relay where `pool` leaves that to it (`gateway.wakes`)."""
        self._pool = pool
        self._tools = tools
        self._schema_is_there = schema_is_there
        self._wake = wake

    @property
    def sealing_key_id(self) -> str:
        """The key that this gateway seals for."""
        return self._tools.sealer.key_id

    async def identify(self, token: str) -> Principal:
        """Who holds this token. Raises NOT_AUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED."""
        async with self._connection() as connection:
            return await authenticate(connection, token)

    async def ask(self, caller: Caller, question: Question[R]) -> R:
        """The answer to a question, seen with the caller's rights."""
        async with self._connection() as connection, connection.transaction():
            now = await assume(connection, caller.principal)
            return await question.run(Reading(connection=connection, caller=caller, now=now))

    async def perform(self, caller: Caller, command: Command[R]) -> R:
        """Do all of a command, or nothing; under an idempotency key that was used, nothing but answer as then."""
        return await self._do(caller, command, brings(type(command)), command.run)

    async def change(self, caller: Caller, command: Command[UUID]) -> dict[str, Any]:
        """Do a command about one connection and show it as that command left it."""

        async def changed(work: Work) -> dict[str, Any]:
            connection_id = await command.run(work)
            reading = Reading(connection=work.connection, caller=caller, now=work.now)
            return await ConnectionById(connection_id).run(reading)

        return await self._do(caller, command, dict[str, Any], changed)

    async def _do(self, caller: Caller, command: object, form: type[R], act: Callable[[Work], Awaitable[R]]) -> R:
        with told(command) as ending:
            try:
                async with self._connection() as connection, connection.transaction():
                    work = await self._work(connection, caller)
                    brought, repeated = await once(work, form, lambda: act(work))
                    ending.about(brought["id"]) if isinstance(brought, dict) else ending.note(brought)
                    if repeated:
                        ending.repeated()
            finally:
                self._wake()  # also where it broke in the commit: nobody knows then whether there is an event
        return brought

    async def _work(self, connection: Connection, caller: Caller) -> Work:
        now = await assume(connection, caller.principal)
        return Work(connection=connection, caller=caller, now=now, command_id=self._tools.new_id(), tools=self._tools)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool. What the database's absence raises becomes STORE_UNAVAILABLE.

        A grant or a table that is missing once the schema was seen is a defect of ours, and waiting mends nothing.
        """
        if not self._schema_is_there():
            raise ClearlineError("STORE_UNAVAILABLE", retry_after=RETRY_AFTER_SECONDS, why="not migrated yet")
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection
        except Exception as error:
            illness = classify(error)
            if isinstance(error, (ClearlineError, *DEFECTS)) or illness.ill is not Ill.WORLD:
                raise
            raise ClearlineError("STORE_UNAVAILABLE", retry_after=RETRY_AFTER_SECONDS, why=illness.reason) from error
