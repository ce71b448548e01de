"""The brokers behind the bootstrap server. What it announces is where every client goes next, and often wrong.

Each is resolved here and judged by the outbound policy, and the very address that was judged is dialled (rule 8); the
loop underneath asks the policy once more.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from clearline.probes.addresses import canonical_host, is_host
from clearline.probes.dial import DIALLING
from clearline.probes.faults import network_fault
from clearline.probes.fields import MAX_PORT
from clearline.probes.kafka_login import signed_in
from clearline.probes.kafka_messages import Broker, metadata
from clearline.probes.kafka_wire import KafkaWire
from clearline.probes.outbound import Approved, Forbidden
from clearline.probes.probe import Climb, Endpoint, StepFailed
from clearline.probes.reach import addresses_of

BROKER_SECONDS = 4.0
"""For one broker; all are dialled at once, so that a dead one is named before the step's own deadline."""
MAX_BROKERS = 16
"""Dialled in one climb; how many there are is told."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A broker that let us in at the address that it announces."""

    broker: Broker
    address: str
    wire: KafkaWire
    version: int


async def reach_each(climb: Climb, brokers: Iterable[Broker], cluster_id: str) -> list[Reached]:
    """Every one of them, or the finding about the first that cannot be used."""
    found = await asyncio.gather(*(reach(climb, broker, cluster_id) for broker in brokers), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Reached)]


async def reach(climb: Climb, broker: Broker, cluster_id: str) -> Reached:
    """Sign in to a broker at the address that it announces, and see that it belongs to the cluster."""
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            reached = await _first_of(await _approved(broker), climb, broker)
            await _demand_member(reached, cluster_id)
            return reached
    except StepFailed as finding:
        if finding.code == "ADVERTISED_ADDRESS_FORBIDDEN":
            raise
        raise _unusable(broker, finding) from finding
    except (OSError, EOFError) as error:
        told = Endpoint(host=broker.host, port=broker.port)
        raise _unusable(broker, network_fault(error, told, "connect")) from error


async def _demand_member(reached: Reached, cluster_id: str) -> None:
    if (await metadata(reached.wire, reached.version)).id != cluster_id:
        raise StepFailed("PROTOCOL_MISMATCH", why="another cluster answers there")


async def _approved(broker: Broker) -> Sequence[str]:
    if not is_host(broker.host):
        raise StepFailed("UNKNOWN_HOST", why="it is no host name")
    if not 1 <= broker.port <= MAX_PORT:
        raise StepFailed("PORT_OUT_OF_RANGE")
    dial = DIALLING.get()
    assert dial is not None, "brokers are dialled by the ladder"
    found = await addresses_of(canonical_host(broker.host), broker.port)
    judged = [dial.policy.judge(ip_address(text)) for text in found]
    approved = [text for text, verdict in zip(found, judged, strict=True) if isinstance(verdict, Approved)]
    if approved:
        return approved
    refused = next(verdict for verdict in judged if isinstance(verdict, Forbidden))
    raise StepFailed(
        "ADVERTISED_ADDRESS_FORBIDDEN", field="/config/host", location=_named(broker), why=refused.reason.value
    )


async def _first_of(addresses: Sequence[str], climb: Climb, broker: Broker) -> Reached:
    failure: OSError | None = None
    for address in addresses:
        try:
            wire, version = await signed_in(climb, address, broker.port, canonical_host(broker.host))
        except OSError as error:
            failure = error
        else:
            return Reached(broker, address, wire, version)
    raise failure or socket.gaierror(socket.EAI_NONAME, "no address")


def _unusable(broker: Broker, because: StepFailed) -> StepFailed:
    why = str(because.variables.get("why") or "")
    return StepFailed(
        "ADVERTISED_ADDRESS_UNREACHABLE",
        field="/config/host",
        location=_named(broker),
        why=f"{because.code} {why}".strip(),
        detail=because.detail,
    )


def _named(broker: Broker) -> str:
    return f"{broker.host}:{broker.port} (broker {broker.node})"
