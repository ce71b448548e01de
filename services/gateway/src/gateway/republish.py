"""`gateway republish`: after Kafka has been lost, writes every connection's state to `clearline.connections` again.

It goes through the outbox, each connection under its row's lock, so that no command is overtaken, and in a transaction
of its own: a projector holds several of these locks at once, in the order that its batch brings, and whoever waited for
one of them while he holds another could wait for ever. Events keep the sequence of their connection: whoever has seen
it already ignores the copy, so calling it twice does no harm. What is gone goes out as a tombstone, for a Kafka that
came back from an older copy may still hold it.
"""

import argparse
import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg

from clearline.chassis.clock import Clock, SystemClock
from clearline.chassis.settings import load
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway import outbox, repairs
from gateway.read_model import sql
from gateway.read_model.connection_state import load_state, type_of
from gateway.read_model.pools import Connection, open_pool
from gateway.settings import RepublishSettings

PAGE = 50
"""Connections between two looks at the outbox, and two lines of progress."""
SHARE = 2
"""Half of what the outbox may hold stays free for commands."""
NOBODY = UUID(int=0)


def main(arguments: list[str]) -> None:
    """Publish every connection again."""
    wish, settings = parse(arguments), load(RepublishSettings)
    repairs.run(_run(settings, wish.after), if_interrupted="Go on with --after and the last id above.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The wish in a command line."""
    parser = argparse.ArgumentParser(prog="gateway republish", description=__doc__)
    parser.add_argument("--after", type=UUID, default=NOBODY, metavar="ID", help="go on after this connection")
    return parser.parse_args(arguments)


async def _run(settings: RepublishSettings, after: UUID) -> None:
    pool = await open_pool(settings.postgres_dsn.get_secret_value(), name="republish", max_size=2)
    try:
        most = max(PAGE, settings.outbox_limit // SHARE)
        again = Republishing(pool, SystemClock(), most_waiting=most, correlation=f"republish-{uuid4()}")
        await again.republish(after)
    finally:
        pool.terminate()


class Republishing:
    """Goes through all connections in the order of their ids."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        clock: Clock,
        *,
        most_waiting: int,
        topic: Topic = CONNECTIONS,
        correlation: str,
        say: repairs.Say = repairs.say,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._most_waiting = most_waiting
        self._topic = topic
        self._say = say
        self._correlation = correlation

    async def republish(self, after: UUID = NOBODY) -> int:
        """Append every connection's state to the outbox; how many. Raises `NotNow` while another one does."""
        async with repairs.alone(self._pool, "republish"):
            done, last = 0, after
            while page := await self._pool.fetch(sql("connections_to_republish"), last, PAGE):
                await self._wait_for_room(last)
                async with self._pool.acquire() as connection:
                    for row in page:
                        async with connection.transaction():
                            await self._append(connection, row["id"], gone=row["gone"])
                done, last = done + len(page), page[-1]["id"]
                self._say(f"{done:,} connections, the last one {last}")
            async with self._pool.acquire() as connection, connection.transaction():
                await repairs.audit(connection, "connections.republished", "topic", self._topic.name, {"count": done})
            self._say(f"{done:,} connections are in the outbox; the relay brings them to Kafka.")
            return done

    async def _append(self, connection: Connection, connection_id: UUID, *, gone: bool) -> None:
        """Locked first, as a command does: its ids in the outbox grow in the order of its changes."""
        await connection.execute("select lock_connection($1)", connection_id)
        if gone or await connection.fetchval(sql("connection_is_gone"), connection_id):
            await outbox.append_tombstone(connection, self._topic, str(connection_id))
            return
        state, sequence = await load_state(connection, connection_id)
        event_type = type_of(state)
        told = Event(
            id=event_id(f"republish|{connection_id}", event_type.name, sequence),
            type=event_type,
            source="/clearline/gateway",
            subject=str(connection_id),
            time=self._clock.now(),
            key=str(connection_id),
            data=state,
            correlation_id=self._correlation,
            sequence=sequence,
        )
        await outbox.append(connection, self._topic, told)

    async def _wait_for_room(self, last: UUID) -> None:
        while await self._waiting() > self._most_waiting - PAGE:
            self._say(f"the outbox is half full; waiting for Kafka before going on after {last}")
            await asyncio.sleep(repairs.EVERY_SECONDS)

    async def _waiting(self) -> int:
        row = await self._pool.fetchrow(sql("outbox_depth"))
        assert row is not None
        return int(row["pending"] + row["parked"])
