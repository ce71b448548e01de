"""Keeps what servers say from steering the terminal: no escape sequences, no hidden or reordered characters."""

import json
import unicodedata
from typing import Any

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: control, format (direction marks), surrogate, private use, unassigned, line separators."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def plain(value: object, limit: int = 2000) -> str:
    """The value as text on one line that no terminal acts upon, at most `limit` characters long."""
    text = str(value)
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    spaced = " ".join(cut.split()) if any(character in cut for character in "\t\n\r") else cut
    return "".join(_REPLACEMENT if unicodedata.category(character) in _UNSAFE else character for character in spaced)


def plain_json(value: Any, *, ascii_only: bool = False) -> str:
    """The value as indented JSON; what a terminal could act upon is escaped, so that the JSON stays the same."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2)
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSAFE:
        return character
    return json.dumps(character)[1:-1]
