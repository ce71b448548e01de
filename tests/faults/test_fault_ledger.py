"""Everything is killed, frozen and restarted under load; nothing acknowledged may be lost, doubled or out of order.

Two gateways, two projectors and two verifiers on a Kafka and a PostgreSQL that suffer too. `make faults` is the long
form; `CLEARLINE_FAULTS_COMMANDS` and `CLEARLINE_FAULTS_SEED` make it another, and a failure names its seed.
"""

import asyncio
import os
import time
from pathlib import Path

import pytest
from tests.faults.disturbing import Disturbance
from tests.faults.installation import installed
from tests.faults.ledger import faults
from tests.faults.load import Load, listener
from tests.faults.summary import record
from tests.faults.truth import read_truth, unsettled
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

COMMANDS = int(os.environ.get("CLEARLINE_FAULTS_COMMANDS", "2000"))
SEED = int(os.environ.get("CLEARLINE_FAULTS_SEED", "1"))
DATABASE_FROZEN_SECONDS = 60.0 if COMMANDS >= 20_000 else 5.0
HEALING_SECONDS = 60.0
UNWANTED = ("lost", "doubled", "out of order", "unfinished")
"""How the ledger's faults begin."""


@pytest.mark.timeout(max(400, COMMANDS * 0.1))
async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    began = time.monotonic()
    async with listener() as port, installed(tmp_path, own_kafka, own_postgres, copies=2) as installation:
        load = Load(installation, port, COMMANDS, SEED)
        loading = asyncio.create_task(load.run())
        disturbance = Disturbance(installation, own_kafka, own_postgres, DATABASE_FROZEN_SECONDS)
        await disturbance.run(load, loading, COMMANDS // 400, SEED)
        await loading
        healed = time.monotonic()

        async def settled() -> bool:
            return await unsettled(own_postgres.dsn) == 0

        await until(settled, within=HEALING_SECONDS, every=0.5, what=f"everything to come to rest (seed {SEED})")
        rested = time.monotonic()
        found = list(faults(load.ledger, await read_truth(own_postgres.dsn, own_kafka.bootstrap)))
    counted = {f"**{kind}**": sum(each.startswith(kind) for each in found) for kind in UNWANTED}
    told = {
        "commands acknowledged": load.ledger.commands,
        "connections": len(load.ledger.acknowledged),
        **dict(sorted(disturbance.done.items())),
        **counted,
        "**anything else**": sum(not each.startswith(UNWANTED) for each in found),
        "seconds from the last healing until all was seen": round(rested - healed, 1),
        f"seconds in all (seed {SEED})": round(rested - began),
    }
    record("The ledger", told)
    assert found == [], f"seed {SEED}: {dict(disturbance.done)}"
    assert set(disturbance.kinds()) <= set(disturbance.done)
    assert load.ledger.commands >= COMMANDS
