"""A verifier whose answers are collected instead of published, on the loop that probes need."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry
from services.verifier.tests.on_kafka import Bus, Start, listening, verifiers
from tests.harness.kafka import KafkaServer

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Partition, Received
from clearline.contracts.connection import Envelope
from clearline.contracts.event import Event
from clearline.contracts.verification import (
    CANCEL_REQUESTED,
    REQUESTED,
    VerificationCancelRequested,
    VerificationRequested,
)
from clearline.probes.dial import OutboundLoop
from clearline.probes.forms import parse_config
from clearline.probes.ladder import Limits
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS
from clearline.probes.sealing import Opener, Sealer, generate_key_pair
from verifier.handlers import Verifier
from verifier.metrics import VerifierMetrics


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:  # noqa: ARG001
    return {"outbound": OutboundLoop}


@dataclass
class Desk:
    """Asks as the gateway does, and keeps what was answered."""

    private: str
    public: str
    answered: list[Event] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    metrics: VerifierMetrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = VerifierMetrics(self.registry, KINDS)

    def verifier(self, **changed: Any) -> Verifier:
        async def publish(event: Event) -> None:
            self.answered.append(event)

        made: dict[str, Any] = {
            "publish": publish,
            "opener": Opener([self.private]),
            "policy": OutboundPolicy.parse(["127.0.0.1"]),
            "clock": SystemClock(),
            "metrics": self.metrics,
            "limits": Limits(step_seconds=5),
        }
        return Verifier(**(made | changed))

    def request(self, kind: str, config: dict[str, Any], **changed: Any) -> VerificationRequested:
        made: dict[str, Any] = {
            "verification_id": uuid4(),
            "connection_id": uuid4(),
            "revision": 1,
            "environment": "development",
            "kind": kind,
            "config": config,
            "why": "manual",
            "requested_by": "test",
            "deadline": datetime.now(UTC) + timedelta(minutes=5),
        }
        return VerificationRequested(**(made | changed))

    def sealed(self, kind: str, config: dict[str, Any], subject: UUID, **secrets: str) -> dict[str, Envelope]:
        destination = KINDS[kind].destination(parse_config(KINDS[kind], config))
        sealer = Sealer(self.public)
        return {
            name: sealer.seal(
                secret, subject=str(subject), kind=kind, field=name, destination=destination, now=datetime.now(UTC)
            )
            for name, secret in secrets.items()
        }


def asked(request: VerificationRequested) -> Event:
    key = str(request.connection_id or request.verification_id)
    return Event(
        id=uuid4(),
        type=REQUESTED,
        source="/clearline/gateway",
        subject=key,
        time=datetime.now(UTC),
        key=key,
        data=request,
        correlation_id="correlation-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def received(event: Event | None) -> Received:
    return Received(Partition("requests", 0), 0, event.key if event else "k", event)


def cancel_of(request: VerificationRequested) -> Event:
    key = str(request.connection_id or request.verification_id)
    return Event(
        id=uuid4(),
        type=CANCEL_REQUESTED,
        source="/clearline/gateway",
        subject=key,
        time=datetime.now(UTC),
        key=key,
        data=VerificationCancelRequested(
            verification_id=request.verification_id, connection_id=request.connection_id, requested_by="test"
        ),
        correlation_id="correlation-2",
    )


@pytest.fixture
def desk() -> Desk:
    return Desk(*generate_key_pair())


@pytest.fixture
def ask() -> Any:
    """Functions that conftest cannot export: build the records of a request and of its cancel."""

    @dataclass(frozen=True)
    class Ask:
        event = staticmethod(asked)
        record = staticmethod(received)
        cancel = staticmethod(cancel_of)

    return Ask()


@pytest.fixture(scope="module")
async def bus(own_kafka: KafkaServer) -> AsyncIterator[Bus]:
    """A Kafka of the module's own with Clearline's topics, and everything that is answered on it."""
    async with listening(own_kafka.bootstrap) as made:
        yield made


@pytest.fixture
async def verifier(bus: Bus, desk: Desk) -> AsyncIterator[Start]:
    """Starts a verifier that holds the desk's private key; ends what still runs."""
    async with verifiers(bus.bootstrap, desk.private) as start:
        yield start
