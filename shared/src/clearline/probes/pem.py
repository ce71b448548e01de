"""Reads the certificates and keys that people enter, at a cost that does not depend on what they hold."""

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

MAX_RSA_BITS = 8_192
"""Signs in 50 ms; twice the bits take half a second of the loop at every handshake."""


def readable_certificates(pem: str) -> bool:
    """Whether they can be read by both who will: `cryptography`, which tells of them, and OpenSSL, which uses them."""
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates  # noqa: PLC0415 - a form is known without it

    try:
        load_pem_x509_certificates(pem.encode())
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ValueError, InvalidVersion, ssl.SSLError):
        return False
    return True


def signing_key(pem: str) -> "SigningKey | None":
    """The key, if it is one that can sign; its size is for the caller to judge.

    Whether RSA's primes are primes is not asked: for 8,192 bits that takes 10 s of the loop that answers everybody, and
    a key that is none only fails to sign.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    usable = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
    return key if isinstance(key, usable) else None
