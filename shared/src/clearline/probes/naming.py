"""What people may call things: visible characters only, one spelling of each, short enough to print anywhere."""

import re
import unicodedata

from clearline.catalogue import FieldError

MAX_NAME = 100
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
"""An owner routes pages: it becomes a label value and a routing key, so it is one plain word."""


def canonical_name(text: str) -> str:
    """The one spelling under which a name is stored and compared (Unicode NFC)."""
    return unicodedata.normalize("NFC", text)


def name_fault(text: str, pointer: str = "/name") -> FieldError | None:
    """What is wrong with a name: 1 to 100 visible characters, single spaces inside allowed."""
    name = canonical_name(text)
    if not name.strip():
        return FieldError.of(pointer, "FIELD_REQUIRED")
    if len(name) > MAX_NAME:
        return FieldError.of(pointer, "FIELD_TOO_LONG", limit=MAX_NAME)
    if not all(_visible(character) for character in name):
        return FieldError.of(pointer, "CONTROL_CHARACTERS")
    if name != name.strip():
        return FieldError.of(pointer, "FIELD_FORMAT", expected="no spaces at either end")
    return None


def owner_fault(text: str, pointer: str = "/owner") -> FieldError | None:
    """What is wrong with an owner: one word of at most 63 letters, digits, dots, dashes and underscores."""
    if _WORD.fullmatch(text):
        return None
    return FieldError.of(pointer, "FIELD_FORMAT", expected="one word of letters, digits, dots, dashes and underscores")


def _visible(character: str) -> bool:
    """Letters, marks, numbers, punctuation, symbols and the plain space; no control, format or private characters."""
    return character == " " or unicodedata.category(character)[0] not in "CZ"
