"""TLS from the first byte: a server that is slow, one that does not speak it, and one that says nothing at all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.harness.authority import Authority

from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import Behaviour, Listening, serving, silent

PATIENCE = 0.05


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearline.probes.implicit_tls.PATIENCE_SECONDS", PATIENCE)


async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Listening) -> None:
    while await reader.read(4096):
        writer.write(b"+PONG\r\n")
        await writer.drain()


def late(port: int) -> Behaviour:
    """Lets every connection wait for longer than one is patient, then hands it through."""

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Listening) -> None:
        await asyncio.sleep(10 * PATIENCE)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copied(reader, inner_writer), copied(inner_reader, writer))

    return through


async def deaf_to_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
    """As Redis without TLS: the greeting of TLS is the beginning of a line whose end it waits for."""
    if (await reader.read(4096)).startswith(b"\x16"):
        await silent(reader, writer, state)
    writer.write(b"+PONG\r\n")
    await writer.drain()


async def met(climbing: Any, port: int, seconds: float = 5, **changed: Any) -> Any:
    config = {"host": "localhost", "port": port, "tls": "verify-full"} | changed
    return await climbing("redis", config, limits=Limits(step_seconds=seconds))


async def test_a_handshake_has_all_the_time_of_its_step(climbing: Any, tmp_path: Path) -> None:
    authority = Authority()
    async with (
        serving(pong, tls=authority.issue("localhost").server(tmp_path)) as server,
        serving(late(server.port)) as slow,
    ):
        verdict = await met(climbing, slow.port, ca_certificate=authority.pem)
    assert (verdict.steps[2].name, verdict.steps[2].status) == ("tls", "passed"), verdict.failure


async def test_a_server_that_waits_for_another_protocol_is_told_before_the_step_is_over(climbing: Any) -> None:
    async with serving(deaf_to_tls) as server:
        verdict = await met(climbing, server.port, seconds=30)
    assert (verdict.failure.code, verdict.failure.field) == ("TLS_NOT_SPOKEN", "/config/tls")
    assert verdict.steps[2].duration_ms < 20_000


async def test_a_server_that_says_nothing_takes_the_step_and_no_more(climbing: Any) -> None:
    before = asyncio.all_tasks()
    async with serving(silent) as server:
        verdict = await met(climbing, server.port, seconds=0.4)
    assert (verdict.failure.code, verdict.failure.field) == ("TLS_TIMEOUT", "/config/host")
    assert not {task for task in asyncio.all_tasks() - before if "shake_hands" in str(task)}
