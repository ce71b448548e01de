"""Topics filled before anything is measured: events that Clearline really sends, of a thousand connections."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer
from tests.harness.kafka import create_topic
from tests.harness.places import unique

from clearline.chassis.cloudevents import to_record
from clearline.contracts.event import Event
from clearline.contracts.topics import VERIFICATIONS, Topic
from clearline.contracts.verification import PROGRESSED, Step, VerificationProgressed

KEYS = 1_000
_SPACE = UUID("7b6ba1e2-7b36-4a3d-9c53-8e8a4f0d2c11")
_AT_ONCE = 500
_EVIDENCE = {"addresses": ["192.0.2.10", "192.0.2.11"], "server": "PostgreSQL 17.11", "filler": "x" * 500}


def progressed(number: int) -> Event:
    """The `number`-th event: a step of a verification, about 1 KB on the wire."""
    key = uuid5(_SPACE, str(number % KEYS))
    step = Step(name="connect", status="passed", duration_ms=3.1, evidence=_EVIDENCE)
    body = VerificationProgressed(verification_id=key, connection_id=key, revision=1, number=number // KEYS, step=step)
    return Event(
        id=uuid5(_SPACE, f"event-{number}"),
        type=PROGRESSED,
        source="/clearline/verifier",
        subject=str(key),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        key=str(key),
        data=body,
        correlation_id=f"correlation-{number}",
    )


async def filled(bootstrap: str, amount: int, event: Callable[[int], Event] = progressed) -> Topic:
    """A topic of twelve partitions that holds `amount` events, as `clearline.verifications` would."""
    name = await create_topic(bootstrap, unique("bench"), partitions=VERIFICATIONS.partitions)
    async with producing(bootstrap) as producer:
        for first in range(0, amount, _AT_ONCE):
            waiting = []
            for number in range(first, min(first + _AT_ONCE, amount)):
                record = to_record(event(number))
                waiting.append(await producer.send(name, record.value, record.key, headers=list(record.headers)))
            for each in waiting:
                await each
    return Topic(
        name=name, purpose="Filled.", key="connection id", producers=(), consumers=(), types=VERIFICATIONS.types
    )


def producing(bootstrap: str) -> Any:
    """A bare idempotent producer, as an async context manager."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=131_072)
