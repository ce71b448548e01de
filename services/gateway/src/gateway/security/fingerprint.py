"""Tells whether two requests are the same without keeping what they said: a body may hold a password to guess at."""

import hashlib
import hmac
from collections.abc import Sequence

_LABEL = b"clearline idempotency fingerprint 1\0"


class Fingerprints:
    """HMAC-SHA-256 under the installation's key, which the database does not hold."""

    def __init__(self, installation_key: bytes) -> None:
        self._key = hmac.digest(installation_key, _LABEL, "sha256")  # a key of its own for this use

    def of(self, method: str, target: str, body: bytes, conditions: Sequence[str] = ()) -> bytes:
        """The fingerprint of a request; `target` is the path with its query, `conditions` what it holds under."""
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (method.encode(), target.encode(), body, *(each.encode() for each in conditions)):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()
