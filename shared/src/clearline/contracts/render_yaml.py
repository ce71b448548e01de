"""Plain data as YAML that reads well: block style, every text quoted, the same on every machine."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]*")
_READ_AS_OTHERS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def to_yaml(value: object) -> str:
    """Dicts, lists, texts, numbers, booleans and None; anything else is a TypeError."""
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: object, indent: str) -> Iterator[str]:
    match value:
        case Mapping() if value:
            for key, item in value.items():
                yield from _entry(f"{indent}{_key(str(key))}:", item, indent + "  ")
        case list() | tuple() if value:
            for item in value:
                first, *rest = _lines(item, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
        case _:
            yield indent + _scalar(value)


def _entry(head: str, item: object, indent: str) -> Iterator[str]:
    if isinstance(item, (Mapping, list, tuple)) and item:
        yield head
        yield from _lines(item, indent)
    else:
        yield f"{head} {_scalar(item)}"


def _key(key: str) -> str:
    bare = _BARE.fullmatch(key) and key.lower() not in _READ_AS_OTHERS
    return key if bare else json.dumps(key)


def _scalar(value: object) -> str:
    match value:
        case Mapping():
            return "{}"
        case str() | None | bool() | int() | float():
            return json.dumps(value)  # JSON's texts, numbers and words are YAML's too
        case Sequence():
            return "[]"
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a rendered file")
