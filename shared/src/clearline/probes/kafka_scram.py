"""SCRAM (RFC 5802, RFC 7677) as Kafka speaks it: the password proves itself and is not sent. No channel binding."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

MIN_ROUNDS = 4_096
"""RFC 7677, section 4. A server that asks for fewer wants a proof that is cheap to guess the password from."""
MAX_ROUNDS = 100_000
"""50 ms of a processor; Kafka's own limit is 16,384. A server that asks for more wants our time."""
MAX_SALT = 1_024


class ScramError(Exception):
    """The server's side of SCRAM is not what it must be."""


@dataclass(frozen=True, slots=True)
class Scram:
    """One login. `nonce` is chance, in printable characters without a comma."""

    digest: str
    """A name of hashlib: sha256, sha512."""
    user: str
    password: str
    nonce: str

    @property
    def _bare(self) -> str:
        return f"n={self.user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    def first(self) -> bytes:
        """Who we are."""
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> tuple[bytes, bytes]:
        """The proof, and the signature with which the server has to answer. ScramError for a challenge that is none."""
        fields = _fields(challenge)
        nonce, salt, rounds = fields.get("r", ""), _decoded(fields.get("s", "")), _rounds(fields.get("i", ""))
        if not nonce.startswith(self.nonce) or nonce == self.nonce or "m" in fields:
            raise ScramError("its challenge does not answer ours")
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), salt, rounds)
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._bare},{challenge.decode()},{without_proof}".encode()
        client_key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self.digest, client_key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        message = f"{without_proof},p={base64.b64encode(proof).decode()}".encode()
        return message, self._hmac(self._hmac(salted, b"Server Key"), signed)

    def _hmac(self, key: bytes, words: bytes) -> bytes:
        return hmac.digest(key, words, self.digest)


def check_signature(answer: bytes, expected: bytes) -> None:
    """ScramError unless the server knows the password too."""
    if not hmac.compare_digest(_decoded(_fields(answer).get("v", "")), expected):
        raise ScramError("it could not prove that it knows the password itself")


def _fields(words: bytes) -> dict[str, str]:
    try:
        pairs = [field.partition("=") for field in words.decode("ascii").split(",")]
    except UnicodeDecodeError:
        raise ScramError("its challenge holds more than printable characters") from None
    return {name: value for name, _, value in pairs}


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if not 0 < len(raw) <= MAX_SALT:
        raise ScramError("its challenge holds no salt or signature of a sane length")
    return raw


def _rounds(text: str) -> int:
    rounds = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ROUNDS)) else -1
    if not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise ScramError(f"it asks for another number of rounds than {MIN_ROUNDS} to {MAX_ROUNDS}")
    return rounds
