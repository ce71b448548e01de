"""`gateway rebuild NAME`: makes a read model anew from its topic, beside live traffic. `--list`: which, from where.

It runs with the settings of `gateway project`. Interrupted or killed, it goes on where it was when it is called again.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Partition, Received, Span
from clearline.chassis.metrics import Metrics
from clearline.chassis.reading import Reader
from clearline.chassis.record import Record
from clearline.chassis.retry import is_given
from clearline.chassis.scan import Scan, scanning
from clearline.chassis.settings import KafkaSettings, load
from clearline.contracts.event import Event
from clearline.contracts.topics import CONNECTIONS, Topic
from gateway import repairs
from gateway.metrics import GatewayMetrics
from gateway.projections import PROJECTIONS, Surroundings
from gateway.projections.rebuilds import REBUILDS, Again
from gateway.projections.unfit import Unfit
from gateway.read_model.pools import Connection, open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id
from gateway.settings import ProjectSettings

BATCH = 1_000
"""Records in one transaction: the projector's own rate, and memory that does not grow with the topic."""
_STATEMENT_TIMEOUT_MS = 30_000
_AGAIN = "Call it again: it goes on where it was."


def main(arguments: list[str]) -> None:
    """Rebuild, or list what can be rebuilt."""
    wish = parse(arguments)
    if wish.list:
        for name, each in REBUILDS.items():
            repairs.say(f"{name:<22}{each.source.name:<26}{each.reach}")
        return
    settings, kafka = load(ProjectSettings), load(KafkaSettings)
    repairs.run(_run(settings, kafka, wish.name), if_interrupted=_AGAIN)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The wish in a command line."""
    parser = argparse.ArgumentParser(prog="gateway rebuild", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", choices=[name for name, each in REBUILDS.items() if each.again])
    which.add_argument("--list", action="store_true", help="say what each is made from, and how far back that reaches")
    return parser.parse_args(arguments)


async def _run(settings: ProjectSettings, kafka: KafkaSettings, name: str) -> None:
    dsn = settings.postgres_dsn.get_secret_value()
    pool = await open_pool(dsn, name="rebuild", max_size=2, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    metrics = GatewayMetrics(Metrics().registry)
    around = Surroundings(SystemClock(), metrics, settings.verification_validity, CONNECTIONS)
    try:
        await Rebuilding(pool, kafka, around).rebuild(name)
    finally:
        pool.terminate()


class Rebuilding:
    """Rebuilds one read model after the other, each alone."""

    def __init__(
        self, pool: asyncpg.Pool, kafka: KafkaSettings, around: Surroundings, *, say: repairs.Say = repairs.say
    ) -> None:
        self._pool = pool
        self._kafka = kafka
        self._around = around
        self._say = say
        self._skipped: Counter[str] = Counter()

    async def rebuild(self, name: str, *, source: Topic | None = None) -> None:
        """Read the whole topic up to its end as it is now. Raises `NotNow` while another one rebuilds the same."""
        model = REBUILDS[name]
        topic = source or model.source
        if model.again is None:
            raise repairs.NotNow(model.reach)
        async with repairs.alone(self._pool, f"rebuild {name}"):
            positions = StoredPositions(self._pool, f"rebuild {name}", self._cluster_id)
            known = await positions.load([Partition(topic.name, number) for number in range(topic.partitions)])
            async with scanning(self._kafka, [topic.name], starts=known) as scan:
                await self._forget_lost(positions, known, scan)
                await self._read(name, topic, model.again, scan, positions)
                await self._finish(name, positions, scan)

    async def _forget_lost(self, positions: StoredPositions, known: Mapping[Partition, int], scan: Scan) -> None:
        """Where retention took what an interrupted rebuild stood at, it goes on at what is there."""
        lost = [place for place, position in known.items() if scan.starts.get(place) != position]
        async with self._pool.acquire() as connection:
            await positions.forget(connection, lost)

    async def _cluster_id(self) -> str:
        return await ask_cluster_id(self._kafka)

    async def _read(self, name: str, topic: Topic, again: Again, scan: Scan, positions: StoredPositions) -> None:
        reader, begun = Reader([topic]), time.monotonic()
        whole, told, at = scan.left, begun, dict(scan.positions)
        types = {each.name for projection in PROJECTIONS if projection.name == name for each in projection.types}
        async for batch in scan.batches(BATCH):
            spans = {place: Span(at[place], scan.positions[place]) for place in batch}
            events = self._events(reader, batch, types)
            async with self._pool.acquire() as connection, connection.transaction():
                if not await positions.advance(connection, spans):
                    raise repairs.NotNow("its position moved although nobody else may rebuild it; call it again")
                if events:
                    await self._apply(connection, again, events)
            at |= {place: span.next for place, span in spans.items()}
            if (now := time.monotonic()) - told > repairs.EVERY_SECONDS:
                told = now
                self._say(_progress(name, whole - scan.left, whole, now - begun))
        self._say(_progress(name, whole, whole, time.monotonic() - begun))

    async def _apply(self, connection: Connection, again: Again, events: Sequence[Event]) -> None:
        """All together; where that fails by what one of them holds, one by one, and that one is left out."""
        try:
            async with connection.transaction():
                await again(connection, events, self._around)
        except Exception as error:
            if not (isinstance(error, Unfit) or is_given(error)):
                raise
            if len(events) > 1:
                for event in events:
                    await self._apply(connection, again, [event])
                return
            self._skipped["unfit"] += 1
            why = type(error.__cause__ if isinstance(error, Unfit) else error).__name__
            self._say(f"{events[0].type.name} {events[0].id} is left out, it cannot be taken: {why}.")

    def _events(self, reader: Reader, batch: Mapping[Partition, Sequence[Record]], types: set[str]) -> list[Event]:
        found = [reader.read(place, record) for place, records in batch.items() for record in records]
        self._skipped["unreadable"] += sum(not isinstance(each, Received) for each in found)
        events = [each.event for each in found if isinstance(each, Received) and each.event is not None]
        return [event for event in events if event.type.name in types]

    async def _finish(self, name: str, positions: StoredPositions, scan: Scan) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await positions.forget(connection, list(scan.ends))
            after = {"source": sorted({place.topic for place in scan.ends})}
            await repairs.audit(connection, "read_model.rebuilt", "read_model", name, after)
        unreadable, unfit = (self._skipped.pop(each, 0) for each in ("unreadable", "unfit"))
        told = f"{name} is rebuilt." + (f" {unreadable} records could not be read." if unreadable else "")
        self._say(told + (f" {unfit} facts were left out (named above)." if unfit else ""))


def _progress(name: str, done: int, whole: int, seconds: float) -> str:
    return f"{name}: {done:,} of {whole:,} offsets, {done / max(seconds, 0.001):,.0f}/s"
