"""Reads a body as the one document that every reader would see: no doubled names, no NaN, no half characters."""

import json
from typing import Any, NoReturn

from clearline.catalogue import ClearlineError

MAX_DEPTH = 32
"""No body of ours nests deeper than ten; a parser further on must not be made to recurse."""
_ESCAPE = "\\u"
"""Without one no text can hold half a character: what is written out is UTF-8."""


def parse(raw: bytes) -> Any:
    """The document. Raises MALFORMED_JSON, which never repeats what was sent."""
    try:
        text = raw.decode("utf-8")
        document = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise malformed("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        fault = error.msg.partition(": ")[0]  # what follows in some texts is a piece of what was sent
        raise malformed(f"{fault}, line {error.lineno}, column {error.colno}") from None
    except (RecursionError, ValueError):  # nested beyond the interpreter's limit; a number of thousands of digits
        raise malformed("it nests too deeply, or holds a number that is too long") from None
    if _ESCAPE in text or text.count("{") + text.count("[") >= MAX_DEPTH:
        _check(document, MAX_DEPTH)
    return document


def malformed(why: str) -> ClearlineError:
    """What the caller is told; `why` says where and what, and holds no value."""
    return ClearlineError("MALFORMED_JSON", why=why)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise malformed("a name stands twice in one object")
    return document


def _no_constant(_name: str) -> NoReturn:
    raise malformed("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise malformed("a number is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise malformed("it nests too deeply")
    match value:
        case str():
            _whole(value)
        case dict():
            for name, inner in value.items():
                _whole(name)
                _check(inner, depth - 1)
        case list():
            for inner in value:
                _check(inner, depth - 1)
        case _:
            return


def _whole(text: str) -> None:
    """Half of a surrogate pair is no character: no store and no log could write it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise malformed("a text holds half of a character") from None
