"""`gateway serve` as a process: whoever has no token cannot fill its memory with headers."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from services.gateway.tests.migrated import MigratedDatabase
from services.gateway.tests.serve_process import ServeProcess, started
from tests.harness.waiting import until

pytestmark = pytest.mark.integration

MEBIBYTE = 1024 * 1024
NOBODY = MigratedDatabase("none", "postgresql://nobody@127.0.0.1:1/none")


async def test_endless_headers_cost_no_memory(tmp_path: Path) -> None:
    async with started(NOBODY, "127.0.0.1:1", tmp_path / "serve.log") as serve:
        await until(lambda: _live(serve), within=20)
        before = _resident(serve)
        for head in (b"x: " + b"a" * 60 * MEBIBYTE, b"x: 1\r\n" * 400_000):
            assert await _answer(serve, b"GET /api/v1/version HTTP/1.1\r\nhost: a\r\n" + head) in {b"", b"431"}
        assert _resident(serve) - before < 10
        assert await _live(serve)


async def _answer(serve: ServeProcess, request: bytes) -> bytes:
    """The status; none where the system threw it away because more was on the way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serve.port)
    line = b""
    with suppress(ConnectionError):
        writer.write(request)
        async with asyncio.timeout(10):
            line = await reader.readline()
    writer.close()
    return line[9:12]


async def _live(serve: ServeProcess) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(f"{serve.url}/health/live")).status_code == 200
        except httpx2.TransportError:
            return False


def _resident(serve: ServeProcess) -> float:
    """Mebibytes of memory."""
    told = Path(f"/proc/{serve.process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", told)
    assert found is not None
    return int(found[1]) / 1024
