"""P13: from stopped to ready, and what everything of ours holds in memory when there is nothing to do."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import psutil
from bench.measuring import PAIRS, Figure, Pair
from bench.servers import Servers
from tests.e2e.local_checkout import Checkout, copy_tree

_SETTLING_SECONDS = 10.0
_OTHERS = ("kafka", "postgres")
"""Not ours: their memory is their own affair."""


async def starting(_servers: Servers, scale: float) -> list[Figure]:
    """A copy of this checkout, installed once, then stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="clearline-bench-"))
    try:
        return await asyncio.to_thread(_measured, folder, max(1, round(PAIRS * scale)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(folder: Path, times: int) -> list[Figure]:
    checkout = copy_tree(folder)
    checkout.up()  # installs
    try:
        ready = tuple(Pair(_from_stopped(checkout), 1.0) for _ in range(times))
        time.sleep(_SETTLING_SECONDS)
        memory = tuple(Pair(_megabytes(checkout), 1.0) for _ in range(times))
    finally:
        checkout.make("down")
    return [
        Figure(number="P13", what="`make up` from stopped to ready", floor="one second", sense="at most", goal=10,
               pairs=ready, unit="s"),
        Figure(number="P13", what="memory of all our processes, idle", floor="one megabyte", sense="at most", goal=600,
               pairs=memory, unit="MB"),
    ]  # fmt: skip


def _from_stopped(checkout: Checkout) -> float:
    assert checkout.make("down").returncode == 0
    began = time.perf_counter()
    checkout.up()
    return time.perf_counter() - began


def _megabytes(checkout: Checkout) -> float:
    ours = [pid for name, pid in checkout.pids().items() if name not in _OTHERS]
    return sum(psutil.Process(pid).memory_info().rss for pid in ours) / 1024**2
