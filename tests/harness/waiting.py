"""Waiting for a condition with a deadline: the only way a test here waits."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[object] | object], *, within: float = 10.0, every: float = 0.02, what: str = ""
) -> None:
    """Return as soon as `condition()` (plain or async) is true; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if await result if inspect.isawaitable(result) else result:
            return
        assert time.monotonic() < deadline, f"not within {within} s: {what or _told(condition)}"
        await asyncio.sleep(every)


def _told(condition: Callable[[], object]) -> str:
    """How it is written; of a partial or another object, what it says of itself."""
    return inspect.getsource(condition).strip() if inspect.isroutine(condition) else repr(condition)
