"""A kill costs at most one batch that is read again, and its facts have their effect once all the same (R5)."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from services.gateway.tests.bus import producer
from services.gateway.tests.delivery.one_projector import MAX_RECORDS
from services.gateway.tests.delivery.test_projection_on_kafka import all_ended, bus_of, check, pending
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness.waiting import until

from clearline.chassis.cloudevents import to_record
from clearline.chassis.delivery import Outgoing

KILLS = 2
pytestmark = pytest.mark.timeout(120)


@contextmanager
def projector(*arguments: str) -> Iterator[None]:
    """One that is killed in the end, without a word."""
    command = [sys.executable, "-m", "services.gateway.tests.delivery.one_projector", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own module
        try:
            yield
        finally:
            process.kill()


def ledger_holds(ledger: Path, lines: int) -> bool:
    return len(ledger.read_text().splitlines()) > lines


async def test_a_kill_costs_at_most_one_batch(
    kafka: str, migrated: MigratedDatabase, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    bus, ids, ledger = await bus_of(kafka), await pending(owner, 200), tmp_path / "ledger"
    publisher = producer(kafka)
    facts = [each for one in ids for each in (*(progressed(one, step) for step in range(6)), verified(one))]
    await publisher.publish_many([Outgoing(bus.facts, to_record(fact)) for fact in facts])
    await publisher.stop()
    ledger.touch()
    arguments = (migrated.login("clearline_projector"), kafka, bus.facts.name, bus.dead.name, bus.group, str(ledger))

    def given() -> list[str]:
        return ledger.read_text().splitlines()

    for _ in range(KILLS):
        enough = len(given()) + 2 * MAX_RECORDS
        with projector(*arguments):
            await until(partial(ledger_holds, ledger, enough), within=40, every=0.001)
    with projector(*arguments):
        await until(lambda: all_ended(migrated), within=40)
        await check(bus, migrated, len(ids))
    times = Counter(given())
    assert len(times) == len(facts)
    again = sum(count - 1 for count in times.values())
    assert again <= KILLS * MAX_RECORDS, f"{again} records were read again after {KILLS} kills"
