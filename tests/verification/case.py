"""What the table of verification asks of each kind: one form for each column, or why there is none."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearline.testing.hostile_servers import serving, silent

COLUMNS = (
    "good", "wrong host", "wrong port", "wrong TLS", "wrong credentials", "missing permission", "silent server",
)  # fmt: skip

Form = tuple[dict[str, Any], dict[str, str]]
Cases = Mapping[str, Form | str]
"""Column → the filled-in form, or the reason why the column does not apply to the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How a kind's servers are started, and what they are."""

    server: str
    """Product, as the table names it; a stand-in says that it is one."""
    cases: Callable[[Path], AbstractAsyncContextManager[Cases]]
    """Runs the servers in a folder of their own until the block ends."""


NO_SUCH_HOST = "no-such-host.invalid"


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is bound and not listened on: nobody else can take it meanwhile."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


@asynccontextmanager
async def unanswered() -> AsyncIterator[tuple[int, int]]:
    """A port that is closed, and one where somebody listens and says nothing."""
    with closed_port() as closed:
        async with serving(silent) as server:
            yield closed, server.port
