"""`Prefer: wait=N` (RFC 7240): the answer comes when the work has ended, or after N seconds, whichever is first."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast
from uuid import UUID

from fastapi import Depends, Header, Request, Response

from clearline.catalogue import ClearlineError

MAX_SECONDS = 30
MOST_LOOKS = 4
"""At once, of those whose wait is over: when many waited for one end, the pool still has room for everybody else."""
_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)


class Ends(Protocol):
    """Knows when a verification or test has ended, for any number of waiters. False: this process stops."""

    async def wait(self, verification_id: UUID, seconds: float) -> bool: ...


class NothingEnds:
    """Waits for nobody: where no watch was given, the answer comes at once."""

    async def wait(self, _verification_id: UUID, _seconds: float) -> bool:
        return False


def wait_in(header: str) -> int:
    """Seconds that a header asks to wait, at most 30; 0 without a wish, or with one that cannot be read."""
    found = _WAIT.search(header[:1000])
    return min(int(found[1]), MAX_SECONDS) if found else 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asked for, and who can tell when it comes true."""

    seconds: int
    ends: Ends
    turns: asyncio.Semaphore

    async def end_of(
        self, verification_id: UUID, look: Callable[[], Awaitable[dict[str, Any]]], response: Response
    ) -> dict[str, Any] | None:
        """What `look` shows once it is no longer pending; None if that took too long, or nobody asked to wait.

        None too where the database cannot be asked then, and where this process stops: the work was taken on, and its
        id is the answer. One that stops does not even look, since a database that hangs would keep the answer.
        """
        if not self.seconds or not await self.ends.wait(verification_id, self.seconds):
            return None
        response.headers["preference-applied"] = f"wait={self.seconds}"
        try:
            async with self.turns:
                shown = await look()
        except ClearlineError as error:
            if error.code != "STORE_UNAVAILABLE":
                raise
            return None
        return None if shown["status"] == "pending" else shown


async def _wish(
    request: Request,
    prefer: Annotated[
        str | None, Header(description="`wait=N` waits for the end, at most 30 s.", examples=["wait=10"])
    ] = None,
) -> Wish:
    state = request.app.state
    return Wish(wait_in(prefer or ""), cast("Ends", state.ends), cast("asyncio.Semaphore", state.looks))


Waiting = Annotated[Wish, Depends(_wish)]
