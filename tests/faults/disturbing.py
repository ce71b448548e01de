"""What is done to a running installation while it is under load: each kind at least once, then at random by a seed."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.faults.installation import Installation
from tests.faults.load import Load
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.process import ServerProcess
from tests.harness.waiting import until

FROZEN_SECONDS = 4.0
"""A process: its session in the consumer group has expired by then (two seconds)."""
PATIENCE_SECONDS = 120.0
"""For the load to come a step further, on a machine with other things to do."""

Do = Callable[[], Awaitable[None]]


@dataclass
class Disturbance:
    """All the faults that there are for one installation, and what was done of them."""

    installation: Installation
    kafka: KafkaServer
    postgres: PostgresServer
    database_frozen_seconds: float
    done: Counter[str] = field(default_factory=Counter)

    def kinds(self) -> dict[str, Do]:
        """By name: each returns when what it broke answers again."""
        processes = self.installation.processes
        kills = {f"kill -9 {name}": partial(_kill, process) for name, process in processes.items()}
        freezes = {f"freeze {name}": partial(_freeze, process) for name, process in processes.items()}
        services = sorted({name.partition("-")[0] for name in processes})
        rolls = {f"rolling restart of {each}": partial(_roll, self.installation.copies_of(each)) for each in services}
        return {
            **kills,
            **freezes,
            **rolls,
            "kill -9 kafka": partial(_kill, self.kafka),
            "restart kafka": self.kafka.restart,
            "kill -9 postgres": partial(_kill, self.postgres),
            "restart postgres": self.postgres.restart,
            "freeze postgres": self._freeze_database,
        }

    async def run(self, load: Load, loading: "asyncio.Task[None]", faults: int, seed: int) -> None:
        """Do `faults` of them (at least one of each kind), each when the load has come a random step further."""
        kinds, chance = self.kinds(), random.Random(seed)  # noqa: S311 - repeatable, not secret
        order = list(_order(sorted(kinds), faults, chance))
        for number, name in enumerate(order):
            moment = int((number + chance.random()) * load.total / len(order))
            await until(partial(_has_come_to, load, loading, moment), within=PATIENCE_SECONDS)
            await kinds[name]()
            self.done[name] += 1

    async def _freeze_database(self) -> None:
        self.postgres.pause()
        await asyncio.sleep(self.database_frozen_seconds)
        self.postgres.resume()


def _order(names: list[str], faults: int, chance: random.Random) -> Iterator[str]:
    shuffled = chance.sample(names, len(names))
    yield from shuffled
    for _ in range(faults - len(shuffled)):
        yield chance.choice(names)


async def _kill(server: ServerProcess | KafkaServer | PostgresServer) -> None:
    """SIGKILL, and started again at once, as a supervisor does."""
    await server.kill()
    await server.start()


async def _freeze(process: ServerProcess) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    os.kill(process.pid, signal.SIGCONT)


async def _roll(copies: list[ServerProcess]) -> None:
    """One after the other, each asked to stop, as a deployment does."""
    for process in copies:
        await process.stop()
        await process.start()


def _has_come_to(load: Load, loading: "asyncio.Task[None]", moment: int) -> bool:
    return load.done >= moment or loading.done()
