"""Where in which file something stands, and everything that is wrong there, told at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from clearline.cli.ends import WrongUseError

SHOWN = 100
"""Faults that are told; a file with more has one cause, which is among the first."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, as editors and CI logs link it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. `detail` never repeats a value: it may be a secret in the wrong place."""

    place: Place
    code: str
    detail: str
    subject: str = ""
    """The connection it is about, as `environment/name`, where that is known."""
    pointer: str = ""
    """The field within the connection, a JSON pointer as in a request's body."""

    def __str__(self) -> str:
        where = " ".join(part for part in (str(self.place), self.subject, self.pointer) if part)
        return f"{where} ({self.code}) {self.detail}"

    def as_json(self) -> dict[str, object]:
        """As an entry of a problem's `errors`, with its place beside it."""
        return {
            "pointer": self.pointer,
            "code": self.code,
            "detail": self.detail,
            "connection": self.subject or None,
            "file": self.place.file,
            "line": self.place.line,
        }


class FaultsError(WrongUseError):
    """The files cannot be used as they are; nothing was done."""

    def __init__(self, faults: Sequence[Fault], done: str = "Nothing was done.") -> None:
        count = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
        super().__init__(f"{count} wrong with what was given. {done}")
        self.faults = tuple(faults[:SHOWN])
