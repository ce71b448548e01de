"""Kind `dns`: a name server, or the operating system's own look-up, holds the records that are expected."""

import asyncio
import socket
from ipaddress import ip_address

from clearline.contracts.verification import StepName
from clearline.probes.dial import DIALLING
from clearline.probes.dns_form import DNS_PORT, DnsConfig, DnsCredentials, destination, endpoint, question_name, spared
from clearline.probes.outbound import Approved
from clearline.probes.probe import Climb, Evidence, Kind, StepFailed

SHOWN = 16
"""Records in the evidence; all of them are counted."""


async def exercise(climb: Climb) -> Evidence:
    """Ask, and hold the answer to what is expected."""
    from clearline.probes.dns_answer import check_expected  # noqa: PLC0415 - the gateway knows this form without dnspython

    config: DnsConfig = climb.config
    begun = climb.clock.monotonic()
    values, evidence = await (_of_the_system(climb) if config.resolver is None else _of_a_name_server(climb))
    took = round((climb.clock.monotonic() - begun) * 1000, 3)
    evidence = {"records": list(values[:SHOWN]), "record_count": len(values), **evidence, "answered_in_ms": took}
    try:
        check_expected(values, config)
    except StepFailed as finding:
        finding.evidence = evidence
        raise
    return evidence


async def _of_a_name_server(climb: Climb) -> tuple[tuple[str, ...], dict[str, object]]:
    import dns.flags  # noqa: PLC0415
    import dns.rcode  # noqa: PLC0415

    from clearline.probes.dns_answer import records_in  # noqa: PLC0415
    from clearline.probes.dns_exchange import ask  # noqa: PLC0415

    reply = await ask(climb)
    climb.address = reply.address
    evidence: dict[str, object] = {
        "resolver": f"{reply.address} port {climb.endpoint.port}",
        "transport": "udp, then tcp: the answer was truncated" if reply.truncated else reply.transport,
        "rcode": dns.rcode.to_text(reply.message.rcode()),
        "flags": dns.flags.to_text(dns.flags.Flag(reply.message.flags)),
        "dnssec_authenticated": bool(reply.message.flags & dns.flags.AD),
    }
    try:
        records = records_in(reply.message, climb.config)
    except StepFailed as finding:
        finding.evidence = evidence
        raise
    return records.values, {"canonical_name": records.canonical_name, "ttl_seconds": records.ttl} | evidence


async def _of_the_system(climb: Climb) -> tuple[tuple[str, ...], dict[str, object]]:
    """Looked up like the host of every other kind; addresses that may not be dialled are counted, never shown."""
    config, dial = climb.config, DIALLING.get()
    assert dial is not None, "the rungs are climbed by the ladder"
    family = socket.AF_INET if config.record_type == "A" else socket.AF_INET6
    found = await asyncio.get_running_loop().getaddrinfo(
        question_name(config.name), DNS_PORT, family=family, type=socket.SOCK_STREAM
    )
    texts = sorted({str(info[4][0]).partition("%")[0] for info in found})
    values = tuple(text for text in texts if isinstance(dial.policy.judge(ip_address(text)), Approved))
    if not values:
        raise StepFailed("ADDRESS_FORBIDDEN", field="/config/name", why="every address that was found is private")
    return values, {"resolver": "the operating system's", "refused_by_policy": len(texts) - len(values)}


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """A name that the operating system knows without an address of this family; the rest is like anybody's."""
    config: DnsConfig = climb.config
    if step == "exercise" and isinstance(error, socket.gaierror) and error.errno == getattr(socket, "EAI_NODATA", None):
        why, field = "the name exists without such an address", "/config/record_type"
        return StepFailed(
            "DNS_RECORD_MISSING", field=field, domain_name=config.name, record_type=config.record_type, why=why
        )
    return None


DNS = Kind(
    name="dns",
    title="DNS records",
    description="Looks a name up at a name server or with the operating system, and compares the records. Questions are"
    " not signed: a server that asks for TSIG cannot be checked.",
    config=DnsConfig,
    credentials=DnsCredentials,
    libraries=("clearline.probes.dns_exchange", "clearline.probes.dns_answer"),
    rungs={"exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda _config: frozenset(),
    allowed_credentials=lambda _config: frozenset(),
    spared=spared,
    explain=explain,
)
