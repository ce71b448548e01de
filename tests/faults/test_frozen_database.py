"""The database stops answering under more load than usual: callers are told, nothing is lost, memory stays.

`make faults` freezes it for a minute (CLEARLINE_FAULTS_FREEZE_SECONDS).
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.faults.installation import Installation, installed
from tests.faults.ledger import faults
from tests.faults.load import Load, listener
from tests.faults.summary import record
from tests.faults.truth import read_truth, unsettled
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

FREEZE_SECONDS = float(os.environ.get("CLEARLINE_FAULTS_FREEZE_SECONDS", "8"))
CLIENTS = 16  # twice as many as the ledger's
GROWTH_MB = 64
BACK_SECONDS = 15.0
"""After the thaw: statements that were under way when it froze end within ten."""
BUSY = {429, 503}


@dataclass
class Asking:
    """Clients that ask for a change all the time and note how each try was answered."""

    installation: Installation
    connection_id: str
    answers: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    unanswered: int = 0
    last_success: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        headers = {"authorization": f"Bearer {self.installation.token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as session:
            await asyncio.gather(*(self._client(session, stop) for _ in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        url = f"{self.installation.url}/connections/{self.connection_id}/verify"
        while not stop.is_set():
            try:
                async with session.post(url) as answer:
                    self.note(answer.status, answer.headers)
            except (aiohttp.ClientError, TimeoutError):
                self.unanswered += 1
            await asyncio.sleep(0.01)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        self.answers[status] += 1
        if status in BUSY and "retry-after" not in headers:
            self.without_retry_after += 1
        if status not in BUSY:
            self.last_success = time.monotonic()


@pytest.mark.timeout(300 + 3 * FREEZE_SECONDS)
async def test_a_database_that_freezes_under_load_costs_answers_and_nothing_else(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with listener() as port, installed(tmp_path, own_kafka, own_postgres) as installation:
        load = Load(installation, port, 200, seed=1)
        await load.run()
        asking, stop = Asking(installation, load.made[0]), asyncio.Event()
        running = asyncio.create_task(asking.run(stop))
        await until(lambda: asking.answers[202] > 20, within=30)
        before = megabytes(installation)
        own_postgres.pause()
        asking.answers.clear()
        grown = await highest_growth(installation, before, FREEZE_SECONDS)
        frozen = Counter(asking.answers)
        told = await is_not_ready(installation)
        own_postgres.resume()
        thawed = time.monotonic()
        await until(lambda: asking.last_success > thawed, within=BACK_SECONDS)
        stop.set()
        await running

        async def settled() -> bool:
            return await unsettled(own_postgres.dsn) == 0

        await until(settled, within=60, every=0.5)
        truth = await read_truth(own_postgres.dsn, own_kafka.bootstrap)
    found = [each for each in faults(load.ledger, truth) if asking.connection_id not in each]
    told_of = {
        "answers meanwhile: 429 or 503": sum(frozen[status] for status in BUSY),
        "of these without Retry-After": asking.without_retry_after,
        "requests without an answer": asking.unanswered,
        f"MB that a process grew at most (of {GROWTH_MB})": round(max(grown.values()), 1),
        "lost, doubled, out of order or unfinished": len(found),
    }
    record(f"A gateway whose database froze for {FREEZE_SECONDS:g} s, at twice the load", told_of)
    assert set(frozen) <= {*BUSY, 202}, "202 only for what was answered as it froze"
    assert frozen[503] > 0
    assert asking.without_retry_after == 0
    assert asking.unanswered == 0
    assert told, "readiness says that the database does not answer"
    assert max(grown.values()) <= GROWTH_MB, grown
    assert found == [], "asking for verifications is audited too, which the ledger does not count"
    assert {each.outcome for each in truth.verifications} == {"verified"}


def megabytes(installation: Installation) -> dict[str, float]:
    return {
        name: psutil.Process(process.pid).memory_info().rss / 1024**2
        for name, process in installation.processes.items()
    }


async def highest_growth(installation: Installation, before: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Of each process, in MB, over the next seconds."""
    growth = dict.fromkeys(before, 0.0)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        await asyncio.sleep(0.25)  # sampling; nothing is waited for
        now = megabytes(installation)
        growth = {name: max(growth[name], now[name] - before[name]) for name in growth}
    return growth


async def is_not_ready(installation: Installation) -> bool:
    """Whether the gateway says by itself that it cannot serve: what an alarm looks at."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{installation.url.removesuffix('/api/v1')}/health/ready") as answer,
    ):
        return answer.status == 503
