"""Places where nothing is to be found: a name, a closed port, and a server that never says anything."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from clearline.testing.hostile_servers import serving, silent

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
