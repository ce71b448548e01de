"""API tokens: 256 random bits behind a recognisable prefix; only their SHA-256 is ever stored."""

import hashlib
import re
import secrets

PREFIX = "clt_"
RANDOM_BYTES = 32
_SHAPE = re.compile(r"clt_[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes are 43 characters of base64url


def new_token() -> tuple[str, bytes]:
    """A new token's text, shown once, and the hash to store."""
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return text, hash_token(text)


def hash_token(text: str) -> bytes:
    """SHA-256 of a token. A fast hash is right: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(text.encode()).digest()


def looks_like_token(text: str) -> bool:
    """Whether the database is worth asking about it."""
    return _SHAPE.fullmatch(text) is not None
