"""Plain values as YAML that every reader understands alike: quotes wherever any YAML might see more than a text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clearline.cli.declared.tree import scalar

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_READ_OTHERWISE = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""By some version of YAML, in any case of letters."""


def fields(values: Mapping[str, Any], indent: int, *, ascii_only: bool) -> Iterator[str]:
    """The lines of an object, each field on its own."""
    room = " " * indent
    for key, value in values.items():
        name = flow(key, ascii_only=ascii_only)
        match value:
            case dict() if value:
                yield f"{room}{name}:"
                yield from fields(value, indent + 2, ascii_only=ascii_only)
            case str() if _is_block(value, ascii_only=ascii_only):
                yield f"{room}{name}: {'|' if value.endswith(chr(10)) else '|-'}"
                yield from (f"{room}  {line}" for line in value.removesuffix("\n").split("\n"))
            case _:
                yield f"{room}{name}: {flow(value, ascii_only=ascii_only)}"


def flow(value: Any, *, ascii_only: bool) -> str:
    """The value on one line."""
    match value:
        case str():
            return value if _is_plain(value) else quoted(value, ascii_only=ascii_only)
        case list():
            return f"[{', '.join(flow(inner, ascii_only=ascii_only) for inner in value)}]"
        case dict():
            pairs = (
                f"{quoted(str(name), ascii_only=ascii_only)}: {flow(inner, ascii_only=ascii_only)}"
                for name, inner in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        case _:
            return json.dumps(value)


def quoted(text: str, *, ascii_only: bool) -> str:
    """In double quotes, with everything escaped that could not be seen."""
    inner = "".join(_escaped(character, ascii_only=ascii_only) for character in text)
    return f'"{inner}"'


def _escaped(character: str, *, ascii_only: bool) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character.isprintable() and (character.isascii() or not ascii_only):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - YAML's two lengths


def _is_plain(text: str) -> bool:
    return bool(_WORD.fullmatch(text)) and text.lower() not in _READ_OTHERWISE and scalar(text) == text


def _is_block(text: str, *, ascii_only: bool) -> bool:
    """Several lines that a block shows as they are: certificates, above all."""
    lines = text.removesuffix("\n").split("\n")
    plain = all(line and line.isprintable() and line == line.strip() for line in lines)
    return len(lines) > 1 and plain and (text.isascii() or not ascii_only)
