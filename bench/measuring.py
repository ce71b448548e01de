"""How a figure is made here: ours and its floor take turns inside one run, and only their ratio counts.

Machines are small and noisy; an absolute time says little about the next one. So each pair is measured back to back,
the order turns with every pair (A-B-B-A), and the worst pair must meet the goal.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Self

PAIRS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One measured stretch: how many things were done, in how many seconds of the clock and of this process's CPU."""

    amount: float
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Things per second."""
        return self.amount / self.seconds


@dataclass(frozen=True, slots=True)
class Pair:
    """Ours and the floor, measured back to back: rates (per second) or times (seconds), both of one kind."""

    ours: float
    floor: float
    ours_cpu_seconds: float = 0.0
    floor_cpu_seconds: float = 0.0

    @property
    def ratio(self) -> float:
        """Ours as a share of the floor."""
        return self.ours / self.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table: what was compared, the goal, and every pair."""

    number: str
    """P1 … P13, as in the table of goals."""
    what: str
    floor: str
    """What the ratio is to."""
    sense: Literal["at least", "at most"]
    goal: float
    pairs: tuple[Pair, ...]
    unit: str
    """Of both sides of a pair."""
    note: str = ""

    @property
    def worst(self) -> float:
        """The ratio that must meet the goal."""
        ratios = [pair.ratio for pair in self.pairs]
        return min(ratios) if self.sense == "at least" else max(ratios)

    @property
    def met(self) -> bool:
        """Whether the worst pair meets the goal."""
        return self.worst >= self.goal if self.sense == "at least" else self.worst <= self.goal


class Stopwatch:
    """Measures one stretch: `with Stopwatch() as watch: …; watch.run(amount)`; or by `start` and `stop`."""

    def __init__(self) -> None:
        self._from = self._seconds = self._cpu = 0.0

    def start(self) -> None:
        """From here."""
        self._cpu = _cpu_seconds()
        self._from = time.perf_counter()

    def stop(self) -> None:
        """To here."""
        self._seconds = time.perf_counter() - self._from
        self._cpu = _cpu_seconds() - self._cpu

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, amount: float) -> Run:
        """What was measured."""
        return Run(amount, self._seconds, self._cpu)


class Countdown:
    """Measures from the first thing that is counted to the last, whatever loop turns lie between."""

    def __init__(self, amount: int) -> None:
        self._amount = self._left = amount
        self._watch = Stopwatch()
        self._over = asyncio.Event()

    def count(self, some: int = 1) -> None:
        """So many more were done."""
        if self._left == self._amount:
            self._watch.start()
        self._left -= some
        if self._left <= 0 and not self._over.is_set():
            self._watch.stop()
            self._over.set()

    async def run(self, limit_seconds: float = 300) -> Run:
        """What was measured, once all were counted. Raises TimeoutError."""
        async with asyncio.timeout(limit_seconds):
            await self._over.wait()
        return self._watch.run(self._amount)


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system


Measure = Callable[[], Awaitable[Run]]


async def compare(ours: Measure, floor: Measure, pairs: int = PAIRS) -> tuple[Pair, ...]:
    """Rates of both, `pairs` times, the first to go changing each time. One round before them warms both up."""
    await ours()
    await floor()
    measured = []
    for number in range(pairs):
        if number % 2 == 0:
            mine, theirs = await ours(), await floor()
        else:
            theirs, mine = await floor(), await ours()
        measured.append(Pair(mine.rate, theirs.rate, mine.cpu_seconds, theirs.cpu_seconds))
    return tuple(measured)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed (nearest rank). `values` must not be empty."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__int__() - 1)]
