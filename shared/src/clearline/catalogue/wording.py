"""Puts bounded values into the catalogue's sentences. Whatever is passed, a sentence comes out."""

import re
from collections.abc import Mapping

from clearline.catalogue.entry import Variable

NOT_KNOWN = "(not known)"
LARGEST = 10**15
"""No count, port or duration is beyond it, and the digits of a larger one would make a sentence unreadable."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\u2027\u202f-\u2065\u2070-\ud7ff\uf900-\ufffd]+")
"""Control characters, line breaks and direction marks: they could forge a second line or hide the end of one."""


def placeholders(text: str) -> frozenset[str]:
    """Names of the variables that a sentence wants."""
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, object], variables: Mapping[str, Variable]) -> str:
    """The sentence with its values; one that is missing, of a wrong type or out of bounds reads `(not known)`."""

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        variable = variables.get(name)
        shown = None if variable is None else _shown(values.get(name), variable)
        return NOT_KNOWN if shown is None else shown

    return _PLACEHOLDER.sub(value_of, text)


def typed(values: Mapping[str, object], variables: Mapping[str, Variable]) -> dict[str, str | int | float]:
    """The values that users may read, for programs: bounded as in a sentence; what is not known is left out."""
    read: dict[str, str | int | float] = {}
    for name, variable in variables.items():
        value = values.get(name)
        shown = None if variable.audience != "user" else _shown(value, variable)
        if shown is not None:
            read[name] = value if isinstance(value, int | float) else shown
    return read


def plain(text: str, max_length: int) -> str:
    """Text on one line without control characters, at most `max_length` characters long."""
    clean = _UNPRINTABLE.sub(" ", text[: max_length + 1]).strip()
    return clean if len(clean) <= max_length else clean[: max_length - 1] + "…"


def number(value: float) -> str:
    """A number as people write it: whole ones in full, others with at most six significant digits."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def _shown(value: object, variable: Variable) -> str | None:
    match variable.type, value:
        case _, None | bool():
            return None
        case "text", str():
            return plain(value, variable.max_length) or None
        case "integer", int():
            return str(value) if _within(value, variable) else None
        case "number", int() | float():
            return number(value) if _within(value, variable) else None
        case _:
            return None


def _within(value: float, variable: Variable) -> bool:
    above = variable.minimum is None or value >= variable.minimum
    below = variable.maximum is None or value <= variable.maximum
    return abs(value) <= LARGEST and above and below
