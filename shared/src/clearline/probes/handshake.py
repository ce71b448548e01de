"""The TLS rung, shared by every kind that speaks it: who is trusted, what was negotiated, and what was presented."""

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from clearline.probes.faults import network_fault
from clearline.probes.probe import Climb, Evidence, StepFailed

if TYPE_CHECKING:
    from cryptography import x509

MAX_NAMES = 16
TRUSTED = 32
"""Contexts kept; each private authority needs one."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Opened = Callable[[Climb], Awaitable[Streams]]
"""Opens a connection on which TLS may begin at once."""


@lru_cache(maxsize=TRUSTED)
def trust(*, verify: bool, authorities: str | None) -> ssl.SSLContext:
    """Whom to believe: the system's authorities and those of the form; or, without `verify`, anybody.

    Nobody changes a context afterwards, so climbs share them: reading the system's authorities takes 60 ms of the loop.
    """
    if verify:
        context = ssl.create_default_context()
        if authorities:
            context.load_verify_locations(cadata=authorities)
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def authorities_digest(authorities: str | None) -> str:
    """Names the form's own authorities in a destination: whom we believe decides who receives the secret."""
    return hashlib.sha256(authorities.encode()).hexdigest()[:16] if authorities else "system"


async def open_streams(climb: Climb) -> Streams:
    """A connection to the address that answered; cut when the climb ends."""
    reader, writer = await asyncio.open_connection(climb.address, climb.endpoint.port)
    climb.closing.callback(writer.transport.abort)
    return reader, writer


async def shake_hands(climb: Climb, context: ssl.SSLContext, opened: Opened) -> Evidence:
    """Negotiate TLS for the host's name. A refused certificate is looked at once more, to say what is wrong with it."""
    try:
        return await _negotiated(climb, context, opened)
    except ssl.SSLCertVerificationError as error:
        seen: Evidence = {}
        with suppress(OSError, EOFError, TimeoutError):
            seen = await _negotiated(climb, trust(verify=False, authorities=None), opened)
        raise _refused(error, climb, seen) from error


async def _negotiated(climb: Climb, context: ssl.SSLContext, opened: Opened) -> Evidence:
    _, writer = await opened(climb)
    await writer.start_tls(context, server_hostname=climb.endpoint.host)
    negotiated: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = negotiated.getpeercert(binary_form=True)
    cipher = negotiated.cipher()
    writer.transport.abort()
    return {
        "tls_version": negotiated.version(),
        "cipher": cipher[0] if cipher else None,
        "verified": context.verify_mode is ssl.CERT_REQUIRED,
        "certificate": _described(certificate, climb.clock.now()) if certificate else {},
    }


def _refused(error: ssl.SSLCertVerificationError, climb: Climb, seen: Evidence) -> StepFailed:
    finding = network_fault(error, climb.endpoint, "tls")
    certificate = seen.get("certificate", {})
    finding.evidence = {**seen, "verified": False} if seen else {}
    finding.variables |= {
        "not_after": certificate.get("not_after"),
        "issuer": certificate.get("issuer"),
        "names": ", ".join(certificate.get("names", ())) or None,
    }
    return finding


def _described(der: bytes, now: datetime) -> Evidence:
    """What a certificate says, for people."""
    from cryptography import x509  # noqa: PLC0415 - needed only where something is dialled

    certificate = x509.load_der_x509_certificate(der)
    ends = certificate.not_valid_after_utc
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": _names(certificate),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": ends.isoformat(),
        "days_left": (ends - now).days,
    }


def _names(certificate: "x509.Certificate") -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    texts = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return texts[:MAX_NAMES]
