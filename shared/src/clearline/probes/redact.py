"""Takes the secrets of a climb out of everything that leaves it: servers and libraries repeat what they were sent."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from clearline.catalogue.wording import plain

MASK = "[redacted]"
MAX_TEXT = 512
MAX_ITEMS = 24
MAX_DEPTH = 4
SHORT = 4
"""A secret below this length is only masked where it stands alone: `a` is in every word."""
LONG, HEAD = 24, 12
"""Servers cut what they repeat (Redis after 128 characters): of a secret this long its first characters tell it too."""


class Redactor:
    """Knows the secrets of one climb in every form in which they come back."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._learn(secrets)

    def add(self, secret: str) -> None:
        """One more, that came up on the way."""
        self._learn([secret])

    def _learn(self, secrets: Iterable[str]) -> None:
        self._known |= {form for secret in secrets if secret for form in _forms(secret)}
        longest_first = sorted(self._known, key=len, reverse=True)
        if longest_first:
            heads = {form[:HEAD] for form in self._known if len(form) >= LONG}
            cut = (rf"{re.escape(head)}[^\s'\"]*" for head in sorted(heads))
            self._pattern = re.compile("|".join([*map(_searched, longest_first), *cut]), re.IGNORECASE)

    def scrub(self, text: str) -> str:
        """The text without any of the secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def line(self, text: str, max_length: int = MAX_TEXT) -> str:
        """Scrubbed first, then cut and put on one line: a cut secret would no longer be found."""
        return plain(self.scrub(text), max_length)

    def evidence(self, value: Any, depth: int = 0) -> Any:
        """Bounded, JSON-able and scrubbed; what is neither text, number nor container of these becomes text."""
        match value:
            case None | bool() | float():
                return value
            case int() if value.bit_length() < 64:  # noqa: PLR2004 - what every reader of JSON can hold
                return value
            case Mapping() if depth < MAX_DEPTH:
                items = list(value.items())[:MAX_ITEMS]
                return {self.line(str(key), 64): self.evidence(inner, depth + 1) for key, inner in items}
            case list() | tuple() if depth < MAX_DEPTH:
                kept = value if len(value) <= MAX_ITEMS else value[: MAX_ITEMS - 1]
                told = [self.evidence(inner, depth + 1) for inner in kept]
                return told if len(kept) == len(value) else [*told, f"and {len(value) - len(kept)} more"]
            case _:
                return self.line(str(value))


def _searched(form: str) -> str:
    pattern = re.escape(form)
    return pattern if len(form) >= SHORT else rf"(?<!\w){pattern}(?!\w)"


def _forms(secret: str) -> Iterator[str]:
    """Plain, URL-, JSON-, HTML- and Python-escaped, hex, and base64 at each of the three alignments."""
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield repr(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield from (line for line in secret.splitlines()[1:-1] if len(line) > SHORT)  # of a key in PEM, each by itself
    raw = secret.encode()
    if len(raw) >= SHORT:
        yield raw.hex()
        yield from _base64_forms(raw)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """The characters that the secret alone decides, wherever it stands in what was encoded (RFC 4648)."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
