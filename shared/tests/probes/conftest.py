"""Probe tests run on the loop that probes need; the ladder refuses any other."""

import asyncio
import importlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.harness.turns import timed_turns, turns_of_the_loop

from clearline.chassis.clock import SystemClock
from clearline.contracts.verification import Step
from clearline.probes.dial import OutboundLoop
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS

if TYPE_CHECKING:
    from tests.harness.kafka_stand import KafkaStand

__all__ = ["timed_turns"]

Climbing = Callable[..., Awaitable[Verdict]]
LOCAL = ("127.0.0.1/32", "::1/128")
TURN_SECONDS = 0.25
"""Of a processor. Reading the system's authorities takes 70 ms, TLS 1.3 over the largest finite field 100 ms."""


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:  # noqa: ARG001
    return {"outbound": OutboundLoop}


@pytest.fixture
def climbing() -> Climbing:
    """Climb a kind with raw form values, as the verifier does; only this machine's own addresses are allowed.

    Whatever the server does, no turn of the loop, on which others are verified, may take long.
    """

    async def climbed(
        kind: str,
        config: dict[str, object],
        credentials: dict[str, str] | None = None,
        *,
        allow: tuple[str, ...] = LOCAL,
        limits: Limits | None = None,
        cancelled: asyncio.Event | None = None,
        told: list[tuple[int, Step]] | None = None,
    ) -> Verdict:
        async def on_step(number: int, step: Step) -> None:
            if told is not None:
                told.append((number, step))

        chosen = KINDS[kind]
        for library in chosen.libraries:  # as whoever climbs many ladders does
            importlib.import_module(library)
        parsed = parse_config(chosen, config)
        given = parse_credentials(chosen, credentials or {}, config=parsed)
        await asyncio.sleep(0)  # what the test has done so far was no turn of the climb
        with turns_of_the_loop() as turns:
            verdict = await climb(
                chosen,
                parsed,
                given,
                policy=OutboundPolicy.parse(allow),
                clock=SystemClock(),
                on_step=on_step,
                limits=limits,
                cancelled=cancelled,
            )
            await asyncio.sleep(0)
        assert turns.seconds < TURN_SECONDS, f"{turns.callback} held the loop for {turns.seconds:.3f} s"
        return verdict

    return climbed


@pytest.fixture
def moving_name(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Every name resolves to the first list, then to the second for ever after: DNS rebinding."""

    def moving(*answers: list[str]) -> None:
        left = list(answers)

        def asked(_host: Any, port: Any, *_: Any) -> list[Any]:
            hosts = left.pop(0) if len(left) > 1 else left[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(port or 0))) for host in hosts]

        monkeypatch.setattr(socket, "getaddrinfo", asked)

    return moving


@pytest.fixture(scope="session")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["KafkaStand"]:
    """The secured Kafka of the session: it takes 5 s to start, and its tests leave it as it was."""
    from tests.harness.kafka_stand import kafka_stand  # noqa: PLC0415 - unit tests need no aiokafka

    async with kafka_stand(tmp_path_factory.mktemp("kafka")) as made:
        yield made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.StreamWriter]:
    """Every connection that is opened as streams from now on, to see that it ends."""
    writers: list[asyncio.StreamWriter] = []
    connect = asyncio.open_connection

    async def noted(*args: Any, **options: Any) -> Any:
        streams = await connect(*args, **options)
        writers.append(streams[1])
        return streams

    monkeypatch.setattr(asyncio, "open_connection", noted)
    return writers


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's certificate for localhost that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "self-signed.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context
