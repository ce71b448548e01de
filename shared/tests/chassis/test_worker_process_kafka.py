"""A worker as a process: waits for Kafka and says so once, tells its readiness, ends within its deadline."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from tests.harness.places import free_ports
from tests.harness.waiting import until

from clearline.contracts.event import Event

WORKER = Path(__file__).with_name("worker_process.py")
MakeEvent = Callable[..., Event]


class Process:
    def __init__(self, folder: Path, bus: Any, seconds: float, port: int | None = None) -> None:
        self.port = port or free_ports(1)[0]
        self.log = folder / f"{self.port}.log"
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLEARLINE_")},
            "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap,
            "CLEARLINE_KAFKA_SESSION_TIMEOUT_MS": "2000",
            "CLEARLINE_OPS_PORT": str(self.port),
        }
        command = [sys.executable, str(WORKER), bus.topic.name, bus.group, str(seconds)]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)  # noqa: S603 - our own file

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    async def ready(self) -> bool:
        return (await self.get("/health/ready"))[0] == 200

    async def in_flight(self) -> bool:
        return "clearline_consumer_in_flight" in (text := (await self.get("/metrics"))[1]) and "} 1.0" in "".join(
            line for line in text.splitlines() if line.startswith("clearline_consumer_in_flight")
        )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(bus: Any, seconds: float, port: int | None = None) -> Process:
        started.append(Process(tmp_path, bus, seconds, port))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.mark.timeout(90)
async def test_it_waits_for_kafka_and_says_so_once(own_kafka: Any, make: Any, event: MakeEvent, processes: Any) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=1)
    await bus.send(event("a", 0))
    await own_kafka.stop()
    worker = processes(bus, 0)
    await until(lambda: "waiting for Kafka" in worker.log.read_text(), within=20)
    status, body = await worker.get("/health/ready")
    assert status == 503
    assert json.loads(body)["checks"]["start"] == {"ok": False, "detail": "waiting for Kafka"}
    assert (await worker.get("/health/live"))[0] == 200
    await own_kafka.start()
    await until(worker.ready, within=30)
    assert [line["event"] for line in worker.lines()].count("waiting for Kafka") == 1
    assert all(line["service"] == "worker" for line in worker.lines())
    before = len(worker.lines())
    await own_kafka.kill()
    await until(lambda: _not_ready(worker), within=15)
    await until(lambda: "the Kafka client is stuck" in worker.log.read_text(), within=30)
    await own_kafka.start()
    await until(worker.ready, within=30)
    assert len(worker.lines()) - before < 40  # aiokafka alone would write forty a second
    worker.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.process.wait, 10) == 0


async def _not_ready(worker: Process) -> bool:
    return not await worker.ready()


async def test_sigterm_lets_work_end_and_commits_it(make: Any, event: MakeEvent, processes: Any) -> None:
    bus = await make(partitions=1)
    await bus.send(event("a", 0))
    worker = processes(bus, 1.5)
    await until(worker.in_flight, within=20)
    worker.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.process.wait, 10) == 0
    assert await bus.committed() == {0: 1}


async def test_sigterm_hands_back_what_does_not_end_within_the_deadline(
    make: Any, event: MakeEvent, processes: Any
) -> None:
    bus = await make(partitions=1)
    await bus.send(event("a", 0))
    worker = processes(bus, 600)
    await until(worker.in_flight, within=20)
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.process.wait, 15) == 0
    assert time.monotonic() - began < 11
    assert (await bus.committed()).get(0, 0) == 0


@pytest.mark.timeout(90)
async def test_sigterm_ends_it_within_the_deadline_while_kafka_does_not_answer(
    own_kafka: Any, make: Any, event: MakeEvent, processes: Any
) -> None:
    bus = await make(bootstrap=own_kafka.bootstrap, partitions=1)
    await bus.send(event("a", 0))
    worker = processes(bus, 600)
    await until(worker.in_flight, within=30)
    own_kafka.pause()
    try:
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.process.wait, 20)
        assert time.monotonic() - began < 13
    finally:
        own_kafka.resume()


async def test_a_taken_port_is_a_clear_error(make: Any, processes: Any) -> None:
    bus = await make(partitions=1)
    first = processes(bus, 0)
    await until(first.ready, within=20)
    second = processes(bus, 0, first.port)
    assert await asyncio.to_thread(second.process.wait, 15) == 2
    said = second.log.read_text()
    assert f"127.0.0.1:{first.port} cannot be used" in said
    assert "CLEARLINE_OPS_PORT" in said
    assert "Traceback" not in said


def test_a_process_whose_loop_hangs_still_ends() -> None:
    hanging = "import time; from clearline.chassis.service import _end_at_last; _end_at_last(0.2); time.sleep(30)"
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", hanging], check=False, timeout=20).returncode == 1  # noqa: S603 - ours
    assert time.monotonic() - began < 15
