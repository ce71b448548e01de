"""`Prefer: wait=N` (RFC 7240): the answer comes when the work has ended, or after N seconds, whichever is first."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Header

MAX_SECONDS = 30
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.4
"""A quick verification takes 0.1 s; each look costs a transaction, so later ones come less often."""
_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)


def wait_in(header: str) -> int:
    """Seconds that a header asks to wait, at most 30; 0 without a wish, or with one that cannot be read."""
    found = _WAIT.search(header[:1000])
    return min(int(found[1]), MAX_SECONDS) if found else 0


async def _wish(
    prefer: Annotated[
        str | None, Header(description="`wait=N` waits for the end, at most 30 s.", examples=["wait=10"])
    ] = None,
) -> int:
    return wait_in(prefer or "")


WaitSeconds = Annotated[int, Depends(_wish)]


async def wait_for(
    look: Callable[[], Awaitable[dict[str, Any]]], ended: Callable[[dict[str, Any]], bool], seconds: float
) -> dict[str, Any] | None:
    """What `look` shows once it has `ended`; None if `seconds` pass before."""
    pause, loop = FIRST_PAUSE, asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        shown = await look()
        if ended(shown):
            return shown
        left = deadline - loop.time()
        if left <= 0:
            return None
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
