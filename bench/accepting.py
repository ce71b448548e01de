"""P4: what accepting a request costs, from the socket to the command and back; the database is left out."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.measuring import Countdown, Figure, Run, compare
from bench.servers import Servers
from tests.harness.places import free_ports
from tests.harness.waiting import until

REQUESTS = 10_000
CLIENTS = 16
BODY = (
    b'{"name": "warehouse", "environment": "development", "owner": "data-team", "kind": "postgres",'
    b' "config": {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"},'
    b' "credentials": {"password": "not-a-secret"}}'
)
REQUEST = (
    b"POST /api/v1/connections HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer clt_bench\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY)
) + BODY


async def accepting(_servers: Servers, scale: float) -> list[Figure]:
    """The gateway's whole HTTP side with a desk that writes nothing, against bare ASGI and against plain FastAPI."""
    amount = round(REQUESTS * scale)
    async with _serving("gateway") as ours, _serving("bare") as bare, _serving("fastapi") as plain:
        to_bare = await compare(lambda: _asked(ours, amount), lambda: _asked(bare, amount))
        to_plain = await compare(lambda: _asked(ours, amount), lambda: _asked(plain, amount))
    what = "accept POST /connections, without the database"
    return [
        Figure(number="P4", what=what, floor="a bare ASGI app on the same server", sense="at least", goal=0.45,
               pairs=to_bare, unit="requests/s"),
        Figure(number="P4", what=what, floor="plain FastAPI with a pydantic model", sense="at least", goal=2,
               pairs=to_plain, unit="requests/s"),
    ]  # fmt: skip


async def _asked(port: int, amount: int) -> Run:
    """Keep-alive connections that each ask again as soon as they are answered."""
    countdown, left = Countdown(amount), [amount]

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left[0] > 0:
            left[0] -= 1
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201 "), head
            await reader.readexactly(_length(head))
            countdown.count()
        writer.close()

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    await asyncio.gather(*clients)
    return await countdown.run()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length: ")
    return int(rest.partition(b"\r\n")[0])


@asynccontextmanager
async def _serving(app: str) -> AsyncIterator[int]:
    """A process of its own, so that the client's work is not the server's."""
    [port] = free_ports(1)
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.accepting_apps", app, str(port))
    try:
        await until(lambda: _listens(port), within=30)
        yield port
    finally:
        child.terminate()
        await child.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
