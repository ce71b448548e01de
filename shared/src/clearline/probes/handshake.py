"""The TLS rung, shared by every kind that speaks it: what was negotiated, what was presented, what is wrong with it.

Its evidence: {"tls_version", "cipher", "verified", "certificate", "chain"} and, where we come with a certificate,
"client_certificate"; `clearline.probes.certificate` says what is in them. A handshake that fails on the certificate
shows the same, from a second look that believes everybody and therefore tells nothing and presents nothing.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from clearline.probes.certificate import chain_of, described, described_pem
from clearline.probes.faults import CLIENT_CERTIFICATE_FIELD, network_fault
from clearline.probes.identity import identity_of
from clearline.probes.negotiation import Negotiation, Presented, Streams
from clearline.probes.probe import Climb, Evidence, StepFailed
from clearline.probes.trust import trust

SECOND_LOOK_SECONDS = 2.0
"""The finding is known; what more there is to see must not take the step's time."""

Opened = Callable[[Climb], Awaitable[Streams]]
"""Opens a connection on which TLS may begin at once."""


async def open_streams(climb: Climb) -> Streams:
    """A connection to the address that answered; cut when the climb ends."""
    reader, writer = await asyncio.open_connection(climb.address, climb.endpoint.port)
    climb.closing.callback(writer.transport.abort)
    return reader, writer


async def shake_hands(
    climb: Climb, context: ssl.SSLContext, opened: Opened, *, server_name: str | None = None
) -> Evidence:
    """Negotiate TLS, for the host's name or `server_name`, on a connection of its own that ends with it."""
    name = server_name or climb.endpoint.host
    negotiation = Negotiation(await opened(climb), context, name)
    try:
        await negotiation.shake()
        await _heard_out(negotiation, climb, context, opened, name)
    except ssl.SSLCertVerificationError as error:
        raise _refused(error, climb, await _second_look(climb, opened, name)) from error
    except (OSError, EOFError) as error:
        raise _ended(error, climb, negotiation.presented()) from error
    finally:
        negotiation.abort()
    return _evidence(negotiation.presented(), climb, verified=context.verify_mode is ssl.CERT_REQUIRED)


async def _heard_out(first: Negotiation, climb: Climb, context: ssl.SSLContext, opened: Opened, name: str) -> None:
    """The server's last word on the handshake; where our goodbye may have cut it off, once more without one."""
    if first.presented().version != "TLSv1.3":  # before, a handshake ended only after both had agreed
        return
    try:
        await first.farewell()
    except (ConnectionError, ssl.SSLEOFError):
        try:
            again = Negotiation(await opened(climb), context, name)
            await again.shake()
        except (OSError, EOFError, StepFailed):  # it agreed a moment ago: whoever comes next may see what is new
            return
        try:
            await again.listen()
        finally:
            again.abort()


async def _second_look(climb: Climb, opened: Opened, name: str) -> Presented | None:
    """What the server shows to somebody who believes anybody and has nothing to say."""
    with suppress(OSError, EOFError, StepFailed):
        async with asyncio.timeout(SECOND_LOOK_SECONDS):
            negotiation = Negotiation(await opened(climb), trust(verify=False, authorities=None), name)
            try:
                with suppress(ssl.SSLError):  # it may insist on our certificate; its own has been sent by then
                    await negotiation.shake()
                return negotiation.presented()
            finally:
                negotiation.abort()
    return None


def _refused(error: ssl.SSLCertVerificationError, climb: Climb, seen: Presented | None) -> StepFailed:
    """We do not believe the certificate."""
    finding = network_fault(error, climb.endpoint, "tls")
    if seen is None:
        return finding
    finding.evidence = _evidence(seen, climb, verified=False, verify_code=error.verify_code)
    certificate = finding.evidence.get("certificate", {})
    finding.variables |= {
        "not_after": certificate.get("not_after"),
        "issuer": certificate.get("issuer"),
        "names": ", ".join(certificate.get("names", ())) or None,
    }
    return finding


def _ended(error: Exception, climb: Climb, seen: Presented) -> StepFailed:
    """The other side, or the line, ended it. TLS 1.2 has no word of its own for a certificate that is missing."""
    ours = identity_of(climb.config, climb.credentials) is not None
    finding = network_fault(error, climb.endpoint, "tls", with_certificate=ours)
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    if reason == "SSLV3_ALERT_HANDSHAKE_FAILURE" and seen.cipher and not ours:
        finding = StepFailed("TLS_CLIENT_CERTIFICATE_REQUIRED", field=CLIENT_CERTIFICATE_FIELD, why=reason)
    finding.evidence = _evidence(seen, climb, verified=None)
    return finding


def _evidence(seen: Presented, climb: Climb, *, verified: bool | None, verify_code: int | None = None) -> Evidence:
    now = climb.clock.now()
    told: dict[str, object] = {"tls_version": seen.version, "cipher": seen.cipher}
    if verified is not None:  # a handshake that was cut says nothing about the certificate
        told["verified"] = verified
    if seen.chain:
        told["certificate"] = described(seen.chain[0], now)
        told["chain"] = chain_of(seen.chain, verified=bool(verified), verify_code=verify_code)
    if identity_of(climb.config, climb.credentials) is not None:
        told["client_certificate"] = described_pem(climb.config.client_certificate, now)
    return told
