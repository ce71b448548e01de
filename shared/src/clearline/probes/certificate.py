"""What certificates say, for people: the evidence of the `tls` step and of our own client certificate.

`described` gives {"subject", "issuer", "names" (at most 16), "not_before", "not_after", "days_left",
"fingerprint_sha256", "key_type", "key_bits", "signature_algorithm"}; `chain_of` gives {"length", "complete"}.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clearline.probes.probe import Evidence

if TYPE_CHECKING:
    from cryptography import x509

MAX_NAMES = 16
_ISSUER_UNKNOWN = {2, 20, 21}
"""`X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT`, `…_LOCALLY` and `…_VERIFY_LEAF_SIGNATURE`: somebody above was not sent."""


def described(der: bytes, now: datetime) -> Evidence:
    """One certificate, of a server."""
    from cryptography import x509  # noqa: PLC0415 - needed only where something is dialled

    return _told(lambda: x509.load_der_x509_certificate(der), now)


def described_pem(pem: str, now: datetime) -> Evidence:
    """The first certificate of a PEM text, of a form."""
    from cryptography import x509  # noqa: PLC0415

    return _told(lambda: x509.load_pem_x509_certificates(pem.encode())[0], now)


def _told(read: "Callable[[], x509.Certificate]", now: datetime) -> Evidence:
    """What somebody made up and no reader understands, as a whole or in parts, is said to be so."""
    try:
        return _facts(read(), now)
    except Exception as error:  # noqa: BLE001 - a certificate that nobody can read must not end the climb
        return {"unreadable": type(error).__name__}


def chain_of(chain: Sequence[bytes], *, verified: bool, verify_code: int | None) -> Evidence:
    """How many were sent, and whether they lead to an authority: true, false, or null where nobody checked."""
    complete = True if verified else None if verify_code is None else verify_code not in _ISSUER_UNKNOWN
    return {"length": len(chain), "complete": complete}


def _facts(certificate: "x509.Certificate", now: datetime) -> Evidence:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    ends = certificate.not_valid_after_utc
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": names_of(certificate),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": ends.isoformat(),
        "days_left": (ends - now).days,
        "fingerprint_sha256": certificate.fingerprint(SHA256()).hex(),
        **_key_of(certificate),
        "signature_algorithm": _signature_algorithm(certificate),
    }


def names_of(certificate: "x509.Certificate") -> list[str]:
    """The hosts and addresses that a certificate is for; many are cut."""
    from cryptography import x509  # noqa: PLC0415

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    texts = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return texts[:MAX_NAMES]


def _key_of(certificate: "x509.Certificate") -> Evidence:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    try:
        key: Any = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return {"key_type": None, "key_bits": None}
    name = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    return {"key_type": {"EllipticCurve": "EC"}.get(name, name), "key_bits": getattr(key, "key_size", None)}


def _signature_algorithm(certificate: "x509.Certificate") -> str:
    from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID  # noqa: PLC0415

    found = certificate.signature_algorithm_oid
    known = vars(SignatureAlgorithmOID).items()
    return next(
        (name for name, oid in known if isinstance(oid, ObjectIdentifier) and oid == found), found.dotted_string
    )
