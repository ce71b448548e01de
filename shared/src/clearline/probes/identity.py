"""Who we are to a server that asks for a client certificate: checked before anything is dialled, never on the disk."""

import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clearline.catalogue import FieldError
from clearline.probes.pem import signing_key
from clearline.probes.probe import Credentials

if TYPE_CHECKING:
    from cryptography import x509

KEY = "client_key"
VERIFYING = "verify-full"
"""The one mode in which it matters who answers; kinds without modes always verify."""
_OVER_PLAIN_HTTP = "Is of no use with http://, which does not encrypt; write https://, or take it out."


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its chain, and its private key; both PEM."""

    certificate: str
    key: str = field(repr=False)


def identity_of(config: Any, credentials: Credentials) -> Identity | None:
    """What the form presents to a server that asks, if anything."""
    key = credentials.given().get(KEY)
    return Identity(config.client_certificate, key) if config.client_certificate and key else None


def tls_required(config: Any) -> frozenset[str]:
    """A client certificate needs its key."""
    return frozenset({KEY}) if config.client_certificate else frozenset()


def tls_allowed(config: Any) -> frozenset[str]:
    """Without a certificate a key is of no use."""
    return tls_required(config)


def tls_conflicts(config: Any, credentials: Credentials, now: datetime | None) -> Iterator[FieldError]:
    """What is wrong with certificates, key and mode together; the time, where it is known, ends a certificate."""
    if config.ca_certificate and getattr(config, "tls", VERIFYING) != VERIFYING:
        detail = (
            f"Is asked only with {VERIFYING}: any other mode believes whoever answers. Choose it, or take this out."
        )
        yield FieldError("/config/ca_certificate", "FIELD_UNKNOWN", detail)
    if not config.client_certificate:
        return
    if getattr(config, "tls", None) == "disable":
        detail = "Is of no use without encryption; choose another mode, or take it out."
        yield FieldError("/config/client_certificate", "FIELD_UNKNOWN", detail)
    yield from _identity_conflicts(config, credentials, now)


def url_tls_conflicts(
    config: Any, credentials: Credentials, now: datetime | None, *, urls: Iterable[str]
) -> Iterator[FieldError]:
    """The same of a form whose URLs say whether there is encryption: without any, certificates are never looked at."""
    if all(url.lower().startswith("http://") for url in urls):
        for name in ("ca_certificate", "client_certificate"):
            if getattr(config, name):
                yield FieldError(f"/config/{name}", "FIELD_UNKNOWN", _OVER_PLAIN_HTTP)
    yield from tls_conflicts(config, credentials, now)


def _identity_conflicts(config: Any, credentials: Credentials, now: datetime | None) -> Iterator[FieldError]:
    from cryptography import x509  # noqa: PLC0415 - only where a client certificate is in use

    certificate = x509.load_pem_x509_certificates(config.client_certificate.encode())[0]
    if (public := _public_key(certificate)) is None:
        detail = "Holds a key of a kind that cannot be read; take a certificate with an RSA, EC or Ed25519 key."
        yield FieldError("/config/client_certificate", "FIELD_FORMAT", detail)
        return
    key = signing_key(credentials.given().get(KEY, ""))
    if key is not None and key.public_key() != public:
        detail = "Is the key of another certificate; the certificate's own, which comes first in its field, is needed."
        yield FieldError(f"/credentials/{KEY}", "CLIENT_CERTIFICATE_MISMATCH", detail)
    if now and not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        detail = f"Is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC only."
        yield FieldError("/config/client_certificate", "CLIENT_CERTIFICATE_EXPIRED", detail)


def _public_key(certificate: "x509.Certificate") -> object | None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return None


def present(context: ssl.SSLContext, identity: Identity) -> None:
    """Let the context show the identity. OpenSSL reads files alone, so it gets one that is none."""
    with _unlinked(f"{identity.key.rstrip()}\n{identity.certificate}") as path:
        # A key that turns out to be encrypted must fail; without a password OpenSSL would ask on the terminal.
        context.load_cert_chain(path, password="")


@contextmanager
def _unlinked(text: str) -> Iterator[str]:
    """A path under which this text can be read, by nobody else and not for long."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("clearline"), "w+", encoding="ascii") as memory:  # noqa: PTH123 - it has no path
            memory.write(text)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with (
        tempfile.TemporaryDirectory(prefix="clearline-") as private,
        tempfile.NamedTemporaryFile("w", dir=private, encoding="ascii") as file,
    ):  # both are made for their owner alone
        file.write(text)
        file.flush()
        yield file.name
