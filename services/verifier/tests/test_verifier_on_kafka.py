"""The whole verifier as a process of its own on a real Kafka: asked over the bus, killed, asked to stop."""

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from tests.harness.kafka import KafkaServer
from tests.harness.places import free_ports
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import provision
from clearline.contracts.topics import DEAD_LETTERS, TOPICS, VERIFICATION_REQUESTS, VERIFICATIONS
from clearline.testing.hostile_servers import answering, http_answer, serving, silent

pytestmark = pytest.mark.timeout(180)
SECRET = "hunter2-s3cret"
Start = Callable[[], Awaitable[asyncio.subprocess.Process]]


@dataclass
class Bus:
    """The broker with Clearline's own topics, and everything that was ever written to the answers."""

    bootstrap: str
    producer: Producer
    records: list[Any] = field(default_factory=list)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def heard(self, record: Any) -> None:
        self.records.append(record)
        if record.topic == VERIFICATIONS.name:
            body = json.loads(record.value)
            body |= {"type": header(record, "ce_type"), "id": header(record, "ce_id")}
            self.answers[body["verification_id"]].append(body)

    def of(self, verification_id: Any, kind: str = "") -> list[dict[str, Any]]:
        return [body for body in self.answers[str(verification_id)] if kind in body["type"]]

    def ends(self, verification_id: Any) -> set[str]:
        return {body["id"] for body in self.of(verification_id) if "progressed" not in body["type"]}


def header(record: Any, name: str) -> str:
    return next((value.decode() for key, value in record.headers if key == name), "")


@pytest.fixture(scope="module")
async def bus(own_kafka: KafkaServer) -> AsyncIterator[Bus]:
    settings = KafkaSettings(bootstrap_servers=(own_kafka.bootstrap,))
    await provision(TOPICS, settings, SystemClock())
    producer = Producer(settings=settings, metrics=Metrics(), clock=SystemClock(), client_id="test")
    await producer.start()
    made = Bus(own_kafka.bootstrap, producer)
    consumer = AIOKafkaConsumer(
        VERIFICATIONS.name, DEAD_LETTERS.name, bootstrap_servers=own_kafka.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()

    async def listen() -> None:
        async for record in consumer:
            made.heard(record)

    listening = asyncio.create_task(listen())
    yield made
    listening.cancel()
    await consumer.stop()
    await producer.stop()


@pytest.fixture
async def verifier(bus: Bus, desk: Any) -> AsyncIterator[Start]:
    """Starts a verifier that holds the desk's private key; ends what still runs."""
    [port] = free_ports(1)
    environment = {
        "PATH": os.environ["PATH"],
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap,
        "CLEARLINE_KAFKA_SESSION_TIMEOUT_MS": "6000",
        "CLEARLINE_SEALING_PRIVATE_KEYS": desk.private,
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.1/32",
        "CLEARLINE_OPS_PORT": str(port),
    }
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "verifier", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running(start: Start) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start()
    yield process
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 25) == 0


async def test_requests_are_answered_cancelled_and_buried(bus: Bus, desk: Any, ask: Any, verifier: Start) -> None:
    async with (
        serving(answering(http_answer("200 OK", f"Server: {SECRET}"))) as server,
        serving(silent) as quiet,
        running(verifier),
    ):
        config = {"url": f"http://127.0.0.1:{server.port}/", "auth": "bearer"}
        good = desk.request("http", config, connection_id=None)
        envelopes = desk.sealed("http", config, good.verification_id, token=SECRET)
        good = desk.request(
            "http", config, verification_id=good.verification_id, connection_id=None, revision=None, envelopes=envelopes
        )
        await bus.producer.publish(ask.event(good), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(good.verification_id), within=60)
        assert f"Bearer {SECRET}".encode() in server.received
        assert [body["number"] for body in bus.of(good.verification_id, "progressed")] == list(range(6))
        assert bus.of(good.verification_id)[-1]["type"] == "clearline.connection.verified.v1"

        hanging = desk.request("http", {"url": f"http://127.0.0.1:{quiet.port}/"})
        await bus.producer.publish(ask.event(hanging), VERIFICATION_REQUESTS)
        await until(lambda: quiet.received, within=20)
        await bus.producer.publish(ask.cancel(hanging), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(hanging.verification_id), within=5)
        assert bus.of(hanging.verification_id)[-1]["outcome"] == "cancelled"

        unknown = desk.request("mainframe", {})
        await bus.producer.publish(ask.event(unknown), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(unknown.verification_id), within=10)
        assert bus.of(unknown.verification_id)[-1]["failure"]["code"] == "KIND_UNKNOWN"
    everything = b"".join((one.value or b"") + repr(one.headers).encode() for one in bus.records)
    assert SECRET.encode() not in everything


async def test_a_killed_verifiers_requests_end_all_the_same_and_each_once(
    bus: Bus, desk: Any, ask: Any, verifier: Start
) -> None:
    first = await verifier()
    async with serving(silent) as server:
        requests = [desk.request("tcp", {"host": "127.0.0.1", "port": server.port}) for _ in range(300)]
        for number, request in enumerate(requests):
            await bus.producer.publish(ask.event(request), VERIFICATION_REQUESTS)
            if number == 150:
                await until(lambda: server.connections > 20, within=60)
                first.kill()
                await first.wait()
        async with running(verifier):
            await until(lambda: all(bus.ends(one.verification_id) for one in requests), within=90)
    assert all(len(bus.ends(one.verification_id)) == 1 for one in requests)
    for one in requests:
        assert {body["number"] for body in bus.of(one.verification_id, "progressed")} == {0, 1}
