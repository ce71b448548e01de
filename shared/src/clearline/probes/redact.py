"""Takes the secrets of a climb out of everything that leaves it: servers and libraries repeat what they were sent."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clearline.catalogue.wording import plain
from clearline.probes.spellings import MANY, patterns_of, spellings, standing

MASK = "[redacted]"
MAX_TEXT = 512
LOOKED_INTO = 4 * 1024
"""Characters of one text: a server may send a megabyte that was made to be slow to search."""
MAX_ITEMS = 24
MAX_DEPTH = 4
PART = 12
"""Servers cut what they repeat (Redis after 128 characters): so many characters of a secret, from anywhere, tell it."""


class Redactor:
    """Knows the secrets of one climb in every form in which they come back."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known: set[str] = set()
        self._loose: set[str] = set()
        self._parts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._learn(secrets)

    def add(self, secret: str) -> None:
        """One more, that came up on the way."""
        self._learn([secret])

    def _learn(self, secrets: Iterable[str]) -> None:
        given = [secret for secret in secrets if secret]
        forms = {form for secret in given for form in spellings(secret) if form}
        self._known |= forms
        self._loose |= {pattern for secret in given for pattern in patterns_of(secret)}
        self._parts |= {part for form in forms for part in _parts(_folded(form))}
        short = sorted((form for form in self._known if len(form) <= MANY), key=len, reverse=True)
        exact = (standing(re.escape(form), form) for form in short)  # the parts of a long one cover it all
        if wanted := [*exact, *sorted(self._loose, key=len, reverse=True)]:
            self._pattern = re.compile("|".join(wanted), re.IGNORECASE)

    def scrub(self, text: str) -> str:
        """The text without any of the secrets, nor a longer part of one."""
        kept: list[str] = []
        end = 0
        for begin, stop in sorted([*self._wholes(text), *self._pieces(text)]):  # each looked for in what came
            if begin > end or not kept:
                kept += [text[end:begin], MASK]
            end = max(end, stop)
        return "".join([*kept, text[end:]])

    def _wholes(self, text: str) -> Iterator[tuple[int, int]]:
        if self._pattern is not None:
            yield from (found.span() for found in self._pattern.finditer(text))

    def _pieces(self, text: str) -> Iterator[tuple[int, int]]:
        return ((at, at + PART) for at, part in enumerate(_parts(_folded(text))) if part in self._parts)

    def line(self, text: str, max_length: int = MAX_TEXT) -> str:
        """Scrubbed first, then cut and put on one line: a cut secret would no longer be found."""
        told = self.scrub(text[:LOOKED_INTO])
        if len(text) > LOOKED_INTO:  # the bound may have cut a secret, which is no longer found
            told = told[:-MAX_TEXT] + MASK
        return plain(told, max_length)

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


def _parts(text: str) -> Iterator[str]:
    return (text[at : at + PART] for at in range(len(text) - PART + 1))


def _folded(text: str) -> str:
    """In small letters, each where it stood."""
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)
