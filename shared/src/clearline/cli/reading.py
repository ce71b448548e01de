"""Between people, paths and answers: what was typed becomes a path, what was answered becomes a shape."""

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from clearline.cli.ends import NoAnswerError
from clearline.cli.plain_text import plain

_T = TypeVar("_T")


def segment(text: str) -> str:
    """One segment of a path, whatever the person typed."""
    return quote(text, safe="")


def read(kind: type[_T], body: Any) -> _T:
    """The answer in the shape that is shown."""
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        raise NoAnswerError(
            f"Clearline's answer is not what this version of the command understands ({plain(error, 200)}).",
            "Compare the versions with `clearline doctor` and use a command of the gateway's version.",
        ) from error
