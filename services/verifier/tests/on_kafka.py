"""A real Kafka with Clearline's topics, the answers that lie on it, and verifiers as processes of their own."""

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

from aiokafka import AIOKafkaConsumer
from tests.harness.places import free_ports

from clearline.chassis.clock import SystemClock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import provision
from clearline.contracts.topics import DEAD_LETTERS, TOPICS, VERIFICATIONS

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


@asynccontextmanager
async def listening(bootstrap: str) -> AsyncIterator[Bus]:
    """The bus with its topics made, and ears on its answers."""
    settings = KafkaSettings(bootstrap_servers=(bootstrap,))
    await provision(TOPICS, settings, SystemClock())
    producer = Producer(settings=settings, metrics=Metrics(), clock=SystemClock(), client_id="test")
    await producer.start()
    made = Bus(bootstrap, producer)
    consumer = AIOKafkaConsumer(
        VERIFICATIONS.name, DEAD_LETTERS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()

    async def listen() -> None:
        async for record in consumer:
            made.heard(record)

    ears = asyncio.create_task(listen())
    yield made
    ears.cancel()
    await consumer.stop()
    await producer.stop()


@asynccontextmanager
async def verifiers(bootstrap: str, private_key: str) -> AsyncIterator[Start]:
    """Starts verifiers that hold `private_key`; ends those that still run."""
    environment = {
        "PATH": os.environ["PATH"],
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CLEARLINE_KAFKA_SESSION_TIMEOUT_MS": "6000",
        "CLEARLINE_SEALING_PRIVATE_KEYS": private_key,
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.1/32",
    }
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        [port] = free_ports(1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "verifier"),
            env=environment | {"CLEARLINE_OPS_PORT": str(port)},
            stdout=asyncio.subprocess.DEVNULL,
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
