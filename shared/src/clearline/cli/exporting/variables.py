"""Names of the variables that stand for exported secrets: the same at every export, and no name for two secrets."""

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from clearline.cli.answers import Connection

LONGEST = 60
_OTHER = re.compile(r"[^A-Z0-9]+")
_FAITHFUL = re.compile(r"[a-z][a-z0-9_-]*|[A-Z][A-Z0-9_-]*")
"""Names that lose nothing but case and dashes."""

Key = tuple[str, str]
"""Id of the connection and field of its credentials."""


def variables(connections: Iterable[Connection]) -> dict[Key, str]:
    """A variable for every stored credential: `WAREHOUSE_PASSWORD`; with the environment where two would be alike."""
    keys = [(one, name) for one in connections for name in sorted(one.credentials)]
    short = {(one.id, name): _joined(one.name, name, one.name) for one, name in keys}
    counts = Counter(short.values())
    long = {
        (one.id, name): short[one.id, name]
        if counts[short[one.id, name]] == 1
        else _joined(f"{one.environment}_{one.name}", name, one.label)
        for one, name in keys
    }
    counts = Counter(long.values())
    return {
        (one.id, name): long[one.id, name]
        if counts[long[one.id, name]] == 1
        else f"{long[one.id, name]}_{_digest(f'{one.label} {name}')}"
        for one, name in keys
    }


def _joined(name: str, field: str, whole: str) -> str:
    """Letters, digits and underscores; a name that would lose more than case has a digest of itself behind it."""
    slug = _OTHER.sub("_", name.upper()).strip("_")
    suffix = _OTHER.sub("_", field.upper())
    room = LONGEST - len(suffix) - 1
    if not _FAITHFUL.fullmatch(name) or len(slug) > room:
        slug = f"{slug[: room - 7].rstrip('_')}_{_digest(whole)}".lstrip("_")
    if not slug[:1].isalpha():
        slug = f"C_{slug}"
    return f"{slug}_{suffix}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6].upper()
