"""SIGKILL and SIGSTOP of gateway (with its relay), projector and verifier at random moments under load.

Nothing that was acknowledged may be lost, doubled or out of order. `CLEARLINE_FAULTS_COMMANDS` and
`CLEARLINE_FAULTS_SEED` make it longer or another; a failure names its seed.
"""

import asyncio
import os
import random
import signal
from functools import partial
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
FAULTS = max(6, COMMANDS // 400)
PATIENCE_SECONDS = 120.0  # for 800 commands, on a machine with other things to do


async def disturb(installation: Installation, load: Load, loading: "asyncio.Task[None]", seed: int) -> list[str]:
    """Kill or freeze a process whenever the load has come a random step further.

    Each is killed at least once. A killed one is started again at once, as a supervisor does; a frozen one wakes after
    its session has expired.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    done: list[str] = []
    for number in range(FAULTS):
        moment = int((number + chance.random()) * load.total / FAULTS)
        await until(partial(_has_come_to, load, loading, moment), within=PATIENCE_SECONDS)
        missing = sorted(set(installation.processes) - {fault.removeprefix("killed ") for fault in done})
        name = chance.choice(missing or [*installation.processes])
        process = installation.processes[name]
        if not missing and chance.random() < FREEZES:
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.wait({loading}, timeout=FROZEN_SECONDS)
            os.kill(process.pid, signal.SIGCONT)
            done.append(f"froze {name}")
        else:
            await process.kill()
            await process.start()
            done.append(f"killed {name}")
    return done


def _has_come_to(load: Load, loading: "asyncio.Task[None]", moment: int) -> bool:
    return load.done >= moment or loading.done()


@pytest.mark.timeout(max(300, COMMANDS * 0.1))
async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with listener() as port, installed(tmp_path, own_kafka, own_postgres) as installation:
        load = Load(installation, port, COMMANDS, SEED)
        loading = asyncio.create_task(load.run())
        faulted = await disturb(installation, load, loading, SEED)
        await loading

        async def settled() -> bool:
            return await unsettled(own_postgres.dsn) == 0

        await until(settled, within=HEALING_SECONDS, every=0.5, what=f"everything to come to rest (seed {SEED})")
        found = list(faults(load.ledger, await read_truth(own_postgres.dsn, own_kafka.bootstrap)))
    assert found == [], f"seed {SEED}: {faulted}"
    assert {f"killed {name}" for name in installation.processes} <= set(faulted)
    assert load.ledger.commands >= 0.9 * COMMANDS
