"""SIGKILL of gateway (with its relay), projector and verifier at random moments while commands are under way.

Nothing that was acknowledged may be lost, doubled or out of order. `CLEARLINE_FAULTS_COMMANDS` and
`CLEARLINE_FAULTS_SEED` make it longer or another; a failure names its seed.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.faults.installation import Installation, installed
from tests.faults.ledger import faults
from tests.faults.load import Load, listener
from tests.faults.truth import read_truth, unsettled
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

COMMANDS = int(os.environ.get("CLEARLINE_FAULTS_COMMANDS", "5000"))
SEED = int(os.environ.get("CLEARLINE_FAULTS_SEED", "1"))
HEALING_SECONDS = 60.0
PAUSES = (1.0, 4.0)  # between one process being back and the next being killed


async def disturb(installation: Installation, load: "asyncio.Task[None]", seed: int) -> list[str]:
    """Kill one process after another until the load is done; each is started again at once, as a supervisor does."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    killed: list[str] = []
    while not load.done():
        await asyncio.wait({load}, timeout=chance.uniform(*PAUSES))
        missing = sorted(set(installation.processes) - set(killed))
        name = chance.choice(missing or [*installation.processes])
        process = installation.processes[name]
        await process.kill()
        killed.append(name)
        await process.start()
    return killed


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with listener() as port, installed(tmp_path, own_kafka, own_postgres) as installation:
        load = Load(installation, port, COMMANDS, SEED)
        loading = asyncio.create_task(load.run())
        killed = await disturb(installation, loading, SEED)
        await loading

        async def settled() -> bool:
            return await unsettled(own_postgres.dsn) == 0

        await until(settled, within=HEALING_SECONDS, every=0.5, what=f"everything to come to rest (seed {SEED})")
        found = list(faults(load.ledger, await read_truth(own_postgres.dsn, own_kafka.bootstrap)))
    assert found == [], f"seed {SEED}, killed {killed}"
    assert set(killed) == set(installation.processes), "every process was killed at least once"
    assert load.ledger.commands >= 0.9 * COMMANDS
