"""A turn is told by what it costs the processor, and only where somebody watches."""

import asyncio
import gc
import time

from tests.harness.turns import timed_turns, turns_of_the_loop

__all__ = ["timed_turns"]


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_a_turn_that_computes_is_seen_and_one_that_waits_is_not() -> None:
    await asyncio.sleep(0)
    with turns_of_the_loop() as turns:
        await asyncio.sleep(0.2)
        time.sleep(0.2)  # noqa: ASYNC251 - what a loaded machine does to a turn
        await asyncio.sleep(0)
        assert turns.seconds < 0.1
        asyncio.get_running_loop().call_soon(busy, 0.15)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert turns.seconds >= 0.15
    assert "busy" in turns.callback


async def test_what_was_begun_elsewhere_and_the_collection_of_garbage_are_not_counted() -> None:
    release = asyncio.Event()

    async def elsewhere() -> None:
        await release.wait()
        busy(0.15)

    other = asyncio.ensure_future(elsewhere())
    await asyncio.sleep(0)
    garbage: list[list[int]] = [[] for _ in range(200_000)]
    await asyncio.sleep(0)
    with turns_of_the_loop() as turns:
        release.set()
        await other
        for _ in range(5):
            gc.collect()
        await asyncio.sleep(0)
    assert garbage
    assert turns.seconds < 0.1
