"""Whom a probe believes and as whom it comes: the TLS contexts of every kind.

A kind that speaks TLS has three fields, written so:

    class RedisConfig(Form):
        ca_certificate: Certificates | None = None
        client_certificate: ClientCertificates | None = None

    class RedisCredentials(Credentials):
        client_key: PrivateKey | None = None

and composes, in its `Kind`:

    required_credentials=lambda config: tls_required(config) | {…its own…}
    allowed_credentials=lambda config: tls_allowed(config) | {…its own…}
    conflicts=tls_conflicts  # where a URL decides on encryption: url_tls_conflicts

Its `tls` rung, and the client library after it, use `context_of(climb.config, climb.credentials, verify=…)`.
"""

import hashlib
import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from clearline.probes.faults import CLIENT_CERTIFICATE_FIELD
from clearline.probes.identity import (
    Identity,
    identity_of,
    present,
    tls_allowed,
    tls_conflicts,
    tls_required,
    url_tls_conflicts,
)
from clearline.probes.probe import Credentials, StepFailed

__all__ = [
    "authorities_digest",
    "context_of",
    "tls_allowed",
    "tls_conflicts",
    "tls_required",
    "trust",
    "url_tls_conflicts",
]

TRUSTED = 32
"""Contexts kept; each private authority and each client certificate needs one."""
DIGEST = 32
"""128 bits. Of 64 bits, somebody finds two texts with the same digest, and the secret would follow the second."""

SILENT_END = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
"""Some builds of Python set it (Debian 12's does): hanging up without a word would read as a proper goodbye."""


def context_of(config: Any, credentials: Credentials, *, verify: bool) -> ssl.SSLContext:
    """The context that a form with the three TLS fields asks for."""
    return trust(verify=verify, authorities=config.ca_certificate, identity=identity_of(config, credentials))


@lru_cache(maxsize=TRUSTED)
def trust(*, verify: bool, authorities: str | None, identity: Identity | None = None) -> ssl.SSLContext:
    """Whom to believe: the system's authorities and those of the form; or, without `verify`, anybody.

    With an identity the server may ask who we are. Nobody changes a context afterwards, so climbs share them: reading
    the system's authorities takes 60 ms of the loop. That keeps up to 32 client keys in this process' memory, which
    holds the keys that open every envelope anyway.
    """
    context = _believing(authorities) if verify else _believing_anybody()
    context.options &= ~SILENT_END
    context.set_ciphers(":".join(_quick_ciphers(context)))
    if identity is not None:
        try:
            present(context, identity)
        except ssl.SSLError as error:  # a key that is too short for the system's security level, and the like
            why = error.reason or type(error).__name__
            raise StepFailed("CLIENT_CERTIFICATE_UNUSABLE", field=CLIENT_CERTIFICATE_FIELD, why=why) from None
    return context


def authorities_digest(authorities: str | None) -> str:
    """Names the form's own authorities in a destination: whom we believe decides who receives the secret."""
    return hashlib.sha256(authorities.encode()).hexdigest()[:DIGEST] if authorities else "system"


def _quick_ciphers(context: ssl.SSLContext) -> Iterator[str]:
    """Its own, without those that exchange keys over a finite field (RFC 9325, section 4.2, wants none either).

    There the server chooses the numbers: those of 9,941 bits held the loop for half a second in each handshake.
    """
    for cipher in context.get_ciphers():
        if cipher["protocol"] != "TLSv1.3" and cipher["kea"] != "kx-dhe":
            yield cipher["name"]


def _believing(authorities: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(cadata=authorities)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate authority alone will do
    return context


def _believing_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
