"""How kind `kafka` gets in at a broker: the versions it knows, SASL as the form says, then the cluster's answer."""

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from clearline.probes import implicit_tls
from clearline.probes.kafka_messages import (
    CREATES_NOTHING,
    METADATA,
    TELLS_RIGHTS,
    Cluster,
    metadata,
    sasl_authenticate,
    sasl_handshake,
    versions,
)
from clearline.probes.kafka_scram import Scram, ScramError, check_signature
from clearline.probes.kafka_wire import KafkaWire, mismatch, open_wire
from clearline.probes.probe import Climb, Evidence, Skipped, StepFailed

if TYPE_CHECKING:
    from clearline.probes.kafka import KafkaConfig

AUTHENTICATION_FAILED = 58
"""https://kafka.apache.org/protocol#protocol_error_codes."""
DIGESTS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
LOOK_SECONDS = 1.0


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """A Kafka listener speaks TLS from the first byte or not at all."""
    return await implicit_tls.encrypt(climb, _answers)


async def _answers(climb: Climb) -> bool:
    wire = await open_wire(climb, climb.address or "", climb.endpoint.port, climb.endpoint.host)
    return bool(await versions(wire))


async def log_in(climb: Climb) -> tuple[KafkaWire, int, Cluster]:
    """The bootstrap server's connection, its version of Metadata, and the cluster that it tells of."""
    async with implicit_tls.told_from_tls(climb, "Kafka"):
        wire, version = await _greeted(climb, climb.address or "", climb.endpoint.port, climb.endpoint.host)
    await _sign_in(wire, climb)
    try:
        return wire, version, await metadata(wire, version)
    except (OSError, EOFError) as error:
        if climb.config.sasl_mechanism == "none" and (mechanisms := await _asked_for(climb)):
            why = f"this listener signs in with {mechanisms}"
            raise StepFailed("AUTH_REQUIRED", field="/config/sasl_mechanism", why=why) from error
        raise


async def signed_in(climb: Climb, address: str, port: int, name: str) -> tuple[KafkaWire, int]:
    """A connection to one broker that is ready for requests, and the version of Metadata to ask with."""
    wire, version = await _greeted(climb, address, port, name)
    await _sign_in(wire, climb)
    return wire, version


async def _greeted(climb: Climb, address: str, port: int, name: str) -> tuple[KafkaWire, int]:
    wire = await open_wire(climb, address, port, name)
    newest = (await versions(wire)).get(METADATA, -1)
    if newest < CREATES_NOTHING:
        raise mismatch("it is older than Kafka 0.11")
    return wire, TELLS_RIGHTS if newest >= TELLS_RIGHTS else CREATES_NOTHING


async def _sign_in(wire: KafkaWire, climb: Climb) -> None:
    config: KafkaConfig = climb.config
    if config.sasl_mechanism == "none":
        return
    error, offered = await sasl_handshake(wire, config.sasl_mechanism)
    if error:
        raise _no_such_mechanism(error, offered)
    user, password = config.user or "", climb.credentials.given()["password"]
    if config.sasl_mechanism == "PLAIN":
        await _exchanged(wire, f"\0{user}\0{password}".encode(), user)  # RFC 4616
        return
    scram = Scram(DIGESTS[config.sasl_mechanism], user, password, secrets.token_urlsafe(24))
    challenge = await _exchanged(wire, scram.first(), user)
    try:
        proof, expected = await asyncio.to_thread(scram.final, challenge)
        check_signature(await _exchanged(wire, proof, user), expected)
    except ScramError as fault:
        raise mismatch(str(fault)) from fault


async def _exchanged(wire: KafkaWire, token: bytes, user: str) -> bytes:
    error, why, answer = await sasl_authenticate(wire, token)
    if error == AUTHENTICATION_FAILED:
        raise StepFailed("AUTH_REJECTED", field="/credentials/password", user=user, why=why)
    if error:
        raise mismatch(f"signing in ended with Kafka's error {error}")
    return answer


def _no_such_mechanism(error: int, offered: list[str]) -> StepFailed:
    field = "/config/sasl_mechanism"
    match error:
        case 33:
            return StepFailed("AUTH_METHOD_UNSUPPORTED", field=field, method=", ".join(offered) or "another mechanism")
        case 34:  # a listener without SASL
            return StepFailed("AUTH_METHOD_UNSUPPORTED", field=field, method="no signing in (none)")
        case _:
            return mismatch(f"the choice of a mechanism ended with Kafka's error {error}")


async def _asked_for(climb: Climb) -> str:
    """A listener with SASL cuts whoever asks for anything else first; then it tells which mechanisms it has."""
    with suppress(OSError, EOFError, StepFailed):
        async with asyncio.timeout(LOOK_SECONDS):
            wire = await open_wire(climb, climb.address or "", climb.endpoint.port, climb.endpoint.host)
            error, offered = await sasl_handshake(wire, "PLAIN")
            return ", ".join(offered) if error in {0, 33} else ""  # chosen, or none of those that there are
    return ""
