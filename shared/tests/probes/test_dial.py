"""The policy lies under every client library: each test dials as one does, with a canary that must stay silent."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from clearline.probes.dial import DIALLING, Dial, ForbiddenAddressError, OutboundLoop, ReadBudgetError, run
from clearline.probes.names import AddrInfo, NameLookups
from clearline.probes.outbound import OutboundPolicy
from clearline.testing.hostile_servers import answering, flooding, http_answer, serving, silent

CLOSED = OutboundPolicy()
ONCE = Retry(NoBackoff(), 0)


async def dialling(work: Callable[[], Awaitable[Any]], dial: Dial) -> Any:
    context = copy_context()
    context.run(DIALLING.set, dial)
    return await asyncio.get_running_loop().create_task(_awaited(work), context=context)


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


async def by_streams(port: int) -> None:
    await asyncio.open_connection("127.0.0.1", port)


async def by_name(port: int) -> None:
    await asyncio.open_connection("localhost", port)


async def by_tls(port: int) -> None:
    await asyncio.open_connection("127.0.0.1", port, ssl=True)


async def by_raw_socket(port: int) -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))


async def by_raw_socket_and_name(port: int) -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("localhost", port))


async def by_aiohttp(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        await session.get(f"http://localhost:{port}/")


async def by_aiohttp_default_resolver(port: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector()) as session:
        await session.get(f"http://127.0.0.1:{port}/")


async def by_asyncpg(port: int) -> None:
    await asyncpg.connect(host="127.0.0.1", port=port, user="u", password="p", database="d", timeout=5)


async def by_asyncpg_tls(port: int) -> None:
    await asyncpg.connect(host="localhost", port=port, user="u", password="p", database="d", ssl="require", timeout=5)


async def by_redis(port: int) -> None:
    async with Redis(host="localhost", port=port, retry=ONCE) as client:
        await client.ping()


async def by_redis_tls(port: int) -> None:
    async with Redis(host="127.0.0.1", port=port, ssl=True, retry=ONCE) as client:
        await client.ping()


async def by_aiokafka(port: int) -> None:
    client = AIOKafkaClient(bootstrap_servers=f"localhost:{port}", request_timeout_ms=2000)
    try:
        await client.bootstrap()
    finally:
        await client.close()


async def by_datagram(port: int) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))


async def by_unbound_datagram(_port: int) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))


async def by_sendto(port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendto(sock, b"x", ("127.0.0.1", port))


async def by_unix_socket(_port: int) -> None:
    await asyncio.open_unix_connection("/tmp/nothing")


WAYS = [
    by_streams, by_name, by_tls, by_raw_socket, by_raw_socket_and_name, by_aiohttp, by_aiohttp_default_resolver,
    by_asyncpg, by_asyncpg_tls, by_redis, by_redis_tls, by_aiokafka,
    by_datagram, by_unbound_datagram, by_sendto, by_unix_socket,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_no_library_dials_a_forbidden_address(way: Callable[[int], Awaitable[None]]) -> None:
    dial = Dial(CLOSED)
    async with serving(silent) as canary:
        with pytest.raises((OSError, aiohttp.ClientError, RedisError, KafkaError)):
            await dialling(lambda: way(canary.port), dial)
        assert canary.connections == 0
        assert dial.refused


async def test_a_followed_redirect_is_judged_again() -> None:
    async with serving(silent, host="127.0.0.2") as canary:
        location = f"Location: http://127.0.0.2:{canary.port}/"
        async with serving(answering(http_answer("302 Found", location))) as server:

            async def follow() -> None:
                async with aiohttp.ClientSession() as session:
                    await session.get(f"http://127.0.0.1:{server.port}/", allow_redirects=True)

            dial = Dial(OutboundPolicy.parse(["127.0.0.1"]))
            with pytest.raises(aiohttp.ClientConnectorError):
                await dialling(follow, dial)
            assert server.connections == 1
        assert canary.connections == 0
        assert str(dial.refused[0].address) == "127.0.0.2"


async def test_outside_of_a_probe_nothing_is_asked() -> None:
    async with serving(silent) as server:
        _, writer = await asyncio.open_connection("localhost", server.port)
        writer.transport.abort()
        assert server.connections <= 1
    assert DIALLING.get() is None


async def test_what_is_read_is_counted_and_ends_at_the_budget() -> None:
    dial = Dial(OutboundPolicy.parse(["127.0.0.1"]), read_bytes=200_000)
    dial.begin_step()
    async with serving(flooding) as server:

        async def read_all() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"x")
            while await reader.read(1000):
                pass

        with pytest.raises(ReadBudgetError):
            await dialling(read_all, dial)
        assert dial.exhausted
        assert server.sent < 32 * 1024 * 1024


async def test_raw_reads_are_counted_too() -> None:
    dial = Dial(OutboundPolicy.parse(["127.0.0.1"]), read_bytes=1000)
    dial.begin_step()
    async with serving(flooding) as server:

        async def read_raw() -> None:
            loop = asyncio.get_running_loop()
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", server.port))
                await loop.sock_sendall(sock, b"x")
                buffer = bytearray(400)
                while await loop.sock_recv_into(sock, buffer):
                    pass

        with pytest.raises(ReadBudgetError):
            await dialling(read_raw, dial)


async def test_a_look_up_that_hangs_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: release.wait(10) or [])
    begun = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            await dialling(lambda: by_name(1), Dial(CLOSED, resolve_seconds=0.1))
        assert time.monotonic() - begun < 2
    finally:
        release.set()


async def test_a_cancelled_look_up_is_not_begun_and_the_others_go_on() -> None:
    release = threading.Event()
    asked: list[str] = []

    def noting(name: str) -> Callable[[], list[AddrInfo]]:
        def look_up() -> list[AddrInfo]:
            asked.append(name)
            return []

        return look_up

    lookups = NameLookups(threads=1)
    loop = asyncio.get_running_loop()
    first = lookups.submit(loop, lambda: [] * release.wait(10))
    await asyncio.sleep(0)
    second = lookups.submit(loop, noting("second"))
    third = lookups.submit(loop, noting("third"))
    second.cancel()
    release.set()
    await first
    assert await third == []
    assert asked == ["third"]
    lookups.close()


@pytest.fixture
def hung_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: release.wait(30) or [])
    yield release
    release.set()


def test_a_process_ends_although_a_look_up_hangs(hung_resolver: threading.Event) -> None:
    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await dialling(lambda: by_name(1), Dial(CLOSED, resolve_seconds=0.05))
        assert isinstance(asyncio.get_running_loop(), OutboundLoop)

    begun = time.monotonic()
    run(ask())
    assert time.monotonic() - begun < 2
    assert not hung_resolver.is_set()


def test_a_refusal_is_an_oserror_that_names_no_secret() -> None:
    with pytest.raises(ForbiddenAddressError, match="loopback"):
        Dial(CLOSED).approve("127.0.0.1")
