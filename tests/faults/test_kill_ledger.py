"""SIGKILL and SIGSTOP of gateway (with its relay), projector and verifier at random moments under load.

Nothing that was acknowledged may be lost, doubled or out of order. `CLEARLINE_FAULTS_COMMANDS` and
`CLEARLINE_FAULTS_SEED` make it longer or another; a failure names its seed.
"""

import asyncio
import os
import random
import signal
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
FREEZES, FROZEN_SECONDS = 0.25, 4.0  # of all faults; group sessions expire after two seconds
PAUSES = (1.0, 4.0)  # between one process being back and the next being killed


async def disturb(installation: Installation, load: "asyncio.Task[None]", seed: int) -> list[str]:
    """Kill or freeze one process after another until the load is done, each at least killed once.

    A killed one is started again at once, as a supervisor does; a frozen one wakes after its session has expired.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    done: list[str] = []
    while not load.done():
        await asyncio.wait({load}, timeout=chance.uniform(*PAUSES))
        missing = sorted({f"killed {name}" for name in installation.processes} - set(done))
        name = (chance.choice(missing) if missing else f"killed {chance.choice([*installation.processes])}").split()[1]
        process = installation.processes[name]
        if not missing and chance.random() < FREEZES:
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.wait({load}, timeout=FROZEN_SECONDS)
            os.kill(process.pid, signal.SIGCONT)
            done.append(f"froze {name}")
        else:
            await process.kill()
            await process.start()
            done.append(f"killed {name}")
    return done


@pytest.mark.timeout(max(300, COMMANDS * 0.1))
async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with listener() as port, installed(tmp_path, own_kafka, own_postgres) as installation:
        load = Load(installation, port, COMMANDS, SEED)
        loading = asyncio.create_task(load.run())
        faulted = await disturb(installation, loading, SEED)
        await loading

        async def settled() -> bool:
            return await unsettled(own_postgres.dsn) == 0

        await until(settled, within=HEALING_SECONDS, every=0.5, what=f"everything to come to rest (seed {SEED})")
        found = list(faults(load.ledger, await read_truth(own_postgres.dsn, own_kafka.bootstrap)))
    assert found == [], f"seed {SEED}: {faulted}"
    assert {f"killed {name}" for name in installation.processes} <= set(faulted)
    assert load.ledger.commands >= 0.9 * COMMANDS
