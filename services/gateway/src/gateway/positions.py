"""`gateway positions`: how far the projector is; `forget` mends a position that points past the end of its log.

That happens when Kafka's log became shorter under the same cluster id (an unclean election): the projector stands still
rather than guess. Forgotten, it reads that partition from its beginning, which changes nothing that has had its effect.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg

from clearline.chassis.consumption import Partition
from clearline.chassis.scan import scanning
from clearline.chassis.settings import KafkaSettings, load
from gateway import repairs
from gateway.projector import CONSUMER, TOPICS
from gateway.read_model.pools import open_pool
from gateway.read_model.positions import StoredPositions, ask_cluster_id
from gateway.settings import ProjectSettings


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """One partition: where the projector is, and where the log ends."""

    place: Partition
    position: int
    end: int

    @property
    def past_the_end(self) -> bool:
        """Whether nothing will ever come at this position."""
        return self.position > self.end

    def __str__(self) -> str:
        told = "past the end of its log" if self.past_the_end else f"{self.end - self.position:,} to read"
        return f"{self.place.topic:<34}{self.place.number:>3}  {self.position:>12,} of {self.end:>12,}  {told}"


def main(arguments: list[str]) -> None:
    """Show the positions, or forget those that point past the end of their log."""
    wish = parse(arguments)
    settings, kafka = load(ProjectSettings), load(KafkaSettings)
    repairs.run(_run(settings, kafka, forget=wish.act == "forget"), if_interrupted="Call it again.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The wish in a command line."""
    parser = argparse.ArgumentParser(prog="gateway positions", description=__doc__)
    parser.add_argument("act", nargs="?", choices=["list", "forget"], default="list")
    return parser.parse_args(arguments)


async def _run(settings: ProjectSettings, kafka: KafkaSettings, *, forget: bool) -> None:
    pool = await open_pool(settings.postgres_dsn.get_secret_value(), name="positions", max_size=1)
    positions = StoredPositions(pool, CONSUMER, partial(ask_cluster_id, kafka))
    try:
        standings = await look(positions, kafka, [topic.name for topic in TOPICS])
        if not forget:
            for each in standings:
                repairs.say(str(each))
            return
        forgotten = await forget_past_the_end(pool, positions, standings)
        for each in forgotten:
            repairs.say(
                f"{each.place.topic} {each.place.number}: {each.position:,} is forgotten, it ends at {each.end:,}"
            )
        if not forgotten:
            repairs.say("No position points past the end of its log: nothing was forgotten.")
    finally:
        pool.terminate()


async def look(positions: StoredPositions, kafka: KafkaSettings, topics: Sequence[str]) -> list[Standing]:
    """Every position on the Kafka that is there now."""
    async with scanning(kafka, topics) as scan:
        known = await positions.load(list(scan.ends))
        return sorted(Standing(place, position, scan.ends[place]) for place, position in known.items())


async def forget_past_the_end(
    pool: asyncpg.Pool, positions: StoredPositions, standings: Sequence[Standing]
) -> list[Standing]:
    """Forget those that nothing will ever come at, and no others. A projector that runs notices by itself."""
    wrong = [each for each in standings if each.past_the_end]
    async with pool.acquire() as connection, connection.transaction():
        await positions.forget(connection, [each.place for each in wrong])
        for each in wrong:
            name, was = f"{each.place.topic}/{each.place.number}", {"position": each.position, "end": each.end}
            await repairs.audit(connection, "position.forgotten", "position", name, was)
    return wrong
