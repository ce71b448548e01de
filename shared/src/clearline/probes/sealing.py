"""Seals credentials so that whoever stores or carries them cannot read them (HPKE, RFC 9180: X25519, AES-256-GCM).

An envelope is bound to its subject, kind, field and destination: moved to another place, it does not open. The gateway
holds a `Sealer` alone; verifier, diagnostics and heartbeat hold an `Opener` with every key that is still in use.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import Envelope

LABEL = b"clearline/credential/v1"
"""Names this use of the key; a second use of the same key would take another label."""
KEY_BYTES = 32


def generate_key_pair() -> tuple[str, str]:
    """A new private and public key, each as base64url text of its 32 raw bytes."""
    private = X25519PrivateKey.generate()
    return _text(private.private_bytes_raw()), _text(private.public_key().public_bytes_raw())


def public_of(private_text: str) -> str:
    """The public half of a private key."""
    return _text(_private(private_text).public_key().public_bytes_raw())


def key_id(public_text: str) -> str:
    """Names a key without telling it: the first 16 hex digits of SHA-256 over the raw public key."""
    return hashlib.sha256(_raw(public_text)).hexdigest()[:16]


class Sealer:
    """Seals for whoever holds the private key; cannot open."""

    def __init__(self, public_text: str) -> None:
        self.key_id = key_id(public_text)
        self._public = X25519PublicKey.from_public_bytes(_raw(public_text))

    def seal(self, plaintext: str, *, subject: str, kind: str, field: str, destination: str, now: datetime) -> Envelope:
        """An envelope for exactly this place. Sealing the same text twice gives two different envelopes."""
        sealed = _suite().encrypt(plaintext.encode(), self._public, _bound_to(subject, kind, field, destination))
        return Envelope(key_id=self.key_id, sealed=_text(sealed), changed_at=now)


class Opener:
    """Opens what was sealed for any of its keys: the current one, which is first, and those that are going out."""

    def __init__(self, private_texts: Sequence[str]) -> None:
        keys = [_private(text) for text in private_texts]
        self._keys = {key_id(_text(key.public_key().public_bytes_raw())): key for key in keys}
        self._sealer = Sealer(public_of(private_texts[0]))

    @property
    def key_ids(self) -> frozenset[str]:
        """The keys it can open for."""
        return frozenset(self._keys)

    @property
    def current_key_id(self) -> str:
        """Its first key: the only one that it seals for."""
        return self._sealer.key_id

    def reseal(self, envelope: Envelope, *, subject: str, kind: str, field: str, destination: str) -> Envelope:
        """The same secret at the same place, sealed for its own first key. Raises `CREDENTIALS_UNREADABLE`.

        Never for a key that somebody names: whoever could ask would read every secret with a key of his own.
        """
        place = {"subject": subject, "kind": kind, "field": field, "destination": destination}
        return self._sealer.seal(self.open(envelope, **place), **place, now=envelope.changed_at)

    def open(self, envelope: Envelope, *, subject: str, kind: str, field: str, destination: str) -> str:
        """The credential, or `CREDENTIALS_UNREADABLE` if the envelope was moved, altered or sealed for another key."""
        pointer = f"/credentials/{field}"
        key = self._keys.get(envelope.key_id)
        if key is None:
            raise ClearlineError(
                "CREDENTIALS_UNREADABLE", pointer=pointer, key_id=envelope.key_id, why="no such key here"
            )
        try:
            info = _bound_to(subject, kind, field, destination)
            return _suite().decrypt(_decode(envelope.sealed), key, info).decode()
        except (InvalidTag, ValueError) as error:
            why = f"{type(error).__name__}: altered, or moved from where it was sealed for"
            raise ClearlineError("CREDENTIALS_UNREADABLE", pointer=pointer, key_id=envelope.key_id, why=why) from None


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _bound_to(*parts: str) -> bytes:
    """Each part with its length before it, so that no two different places read the same."""
    encoded = [LABEL, *(part.encode() for part in parts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Strict base64url: a character outside the alphabet is an error, never skipped."""
    padded = text + "=" * (-len(text) % 4)
    return base64.b64decode(padded.encode(), altchars=b"-_", validate=True)


def _raw(text: str) -> bytes:
    try:
        raw = _decode(text.strip())
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError("not a sealing key: expected the base64url text of 32 bytes")
    return raw


def _private(text: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(_raw(text))
