"""The first two rungs, the same for every kind: find approved addresses, and see which of them answers."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from clearline.probes.addresses import is_literal
from clearline.probes.dial import DIALLING, Dial
from clearline.probes.outbound import Approved, Forbidden
from clearline.probes.probe import Climb, Evidence, StepFailed

MIN_ATTEMPT = 1.0
"""Seconds for one address at least, however many there are: below it a slow network looks like a dead one."""


async def resolve(climb: Climb) -> Evidence:
    """Every address of the host that the policy approves; what it refuses is counted, never shown."""
    endpoint, dial = climb.endpoint, _dial()
    found = await addresses_of(endpoint.host, endpoint.port)
    judged = [dial.policy.judge(ip_address(text)) for text in found]
    climb.addresses = tuple(text for text, verdict in zip(found, judged, strict=True) if isinstance(verdict, Approved))
    refused = [verdict for verdict in judged if isinstance(verdict, Forbidden)]
    if not climb.addresses:
        dial.refused.extend(refused)
        raise StepFailed("ADDRESS_FORBIDDEN", field=endpoint.host_field)
    evidence: dict[str, object] = {"host": endpoint.host, "addresses": list(climb.addresses)}
    return evidence | ({"refused_by_policy": len(refused)} if refused else {})


async def connect(climb: Climb, seconds: float) -> Evidence:
    """The first address that accepts a connection; each gets a fair share of the time."""
    failures: list[OSError] = []
    for index, address in enumerate(climb.addresses):
        share = max(seconds / (len(climb.addresses) - index), MIN_ATTEMPT)
        begun = climb.clock.monotonic()
        try:
            await _try(address, climb.endpoint.port, share)
        except OSError as error:
            failures.append(error)
            seconds -= climb.clock.monotonic() - begun
        else:
            climb.address = address
            return {"address": address, "port": climb.endpoint.port, "refused_before": len(failures)}
    climb.address = climb.addresses[-1]
    raise _most_telling(failures)


async def addresses_of(host: str, port: int) -> list[str]:
    """What a canonical host stands for, unjudged."""
    if is_literal(host):
        return [host]
    if host.endswith(".invalid"):  # RFC 6761, section 6.4: never a name, whatever a resolver on the way says
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found))


async def _try(address: str, port: int, seconds: float) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))


def _most_telling(failures: Sequence[OSError]) -> OSError:
    """A machine without IPv6 says `unreachable` for half of the addresses; that is not what is wrong."""
    unreachable = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
    return next((failure for failure in failures if failure.errno not in unreachable), failures[-1])


def _dial() -> Dial:
    dial = DIALLING.get()
    assert dial is not None, "the rungs are climbed by the ladder"
    return dial
