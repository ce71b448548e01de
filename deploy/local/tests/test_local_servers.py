"""Postgres and Kafka on disk: interrupted set-ups, stale pid files, readiness that means it."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from deploy.local import child, kafka, logs, postgres, readiness
from deploy.local.processes import Service
from deploy.local.readiness import HttpAnswers, KafkaAnswers, PostgresAnswers
from tests.harness.kafka import KafkaServer
from tests.harness.places import free_ports
from tests.harness.postgres import PostgresServer


async def test_an_interrupted_initdb_is_begun_anew(postgres: str, tmp_path: Path) -> None:  # noqa: ARG001 - a real server
    server = PostgresServer.in_folder(tmp_path)
    unfinished = tmp_path / "data.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("17\n")  # what an interrupted one leaves
    await server.start()
    assert not unfinished.exists()
    await server.stop()


async def test_a_pid_file_whose_pid_is_somebody_else_is_removed(own_postgres: PostgresServer) -> None:
    pid_file = own_postgres.cluster.data / "postmaster.pid"
    text = pid_file.read_text()
    service = _service(own_postgres, pid_file)
    child._remove_stale_pid_file(service)
    assert pid_file.exists()  # it is its own: a running server's file stays
    await own_postgres.kill()
    pid_file.write_text(text.replace(text.split("\n")[0], str(os.getpid()), 1))
    child._remove_stale_pid_file(service)
    assert not pid_file.exists()
    await own_postgres.start()


def _service(server: PostgresServer, pid_file: Path) -> Service:
    return Service(
        name="postgres",
        command=tuple(postgres.serve_command(server.cluster)),
        environment={},
        ports=(server.cluster.port,),
        ready=PostgresAnswers(server.cluster.port),
        stop_signal=signal.SIGINT,
        pid_file=pid_file,
        launcher=server.cluster.before,
    )


async def test_servers_answer_when_they_run_and_not_when_they_do_not(
    own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    assert await readiness.answers(KafkaAnswers(own_kafka.broker.port))
    assert await readiness.answers(PostgresAnswers(own_postgres.cluster.port))
    own_postgres.pause()
    try:
        assert not await readiness.answers(PostgresAnswers(own_postgres.cluster.port))
    finally:
        own_postgres.resume()
    [nobody] = free_ports(1)
    for kind in (KafkaAnswers, PostgresAnswers, HttpAnswers):
        assert not await readiness.answers(kind(nobody))


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 No\r\n\r\n", False), (b"", False), (b"\xff\n", False)],
)
async def test_only_200_is_ready(answer: bytes, is_ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a table
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy must not come between us and loopback

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        assert await readiness.answers(HttpAnswers(server.sockets[0].getsockname()[1])) is is_ready


async def test_one_that_accepts_and_is_silent_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for kind in (KafkaAnswers, PostgresAnswers, HttpAnswers):
            assert not await readiness.answers(kind(silent.getsockname()[1]))


def test_a_path_with_spaces_and_letters_survives_kafkas_properties(tmp_path: Path) -> None:
    broker = kafka.Broker(tmp_path / "with space" / "größe", (), 1, 2, {"extra": "yes"})
    written = kafka.properties(broker)
    assert written["extra"] == "yes"
    assert written["log.dirs"] == rf"{tmp_path}/with space/gr\u00f6\u00dfe/logs"


def test_a_log_is_cut_without_its_writer_noticing(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        logs.rotate(tmp_path, largest=100)
        writer.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "gateway.log.1").read_bytes() == b"old\n" * 100
    assert logs.tail(tmp_path / "gateway.log.1", 2) == ["old", "old"]
    assert logs.tail(tmp_path / "none.log", 2) == []
