"""The one exception that carries a catalogue code from where something fails to where it is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from clearline.catalogue.entry import SOURCE_LOCALE
from clearline.catalogue.translator import Catalogue, Translation, load
from clearline.catalogue.wording import plain

DETAIL_LENGTH = 1000
"""Operator detail beyond this is cut: it comes from drivers and servers that may say anything."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input. `pointer` is a JSON pointer; `detail` never echoes the value."""

    pointer: str
    code: str
    detail: str

    @classmethod
    def of(cls, pointer: str, code: str, **variables: object) -> "FieldError":
        """The field error with the catalogue's own sentence as its detail."""
        return cls(pointer, code, load().translate(code, variables).user_message)


class ClearlineError(Exception):
    """Something failed that the catalogue has words for. `str()` is for operators; users get the translation."""

    def __init__(
        self,
        code: str,
        *,
        pointer: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        operator_detail: str | None = None,
        **variables: object,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.pointer = pointer
        """JSON pointer of the one field to fix, when there is one."""
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds after which trying again makes sense."""
        self.operator_detail = operator_detail
        self.variables = variables

    def translation(self, catalogue: Catalogue | None = None, *, locale: str = SOURCE_LOCALE) -> Translation:
        """What each reader is told; pass the process's catalogue where misses are counted."""
        return (catalogue or load()).translate(self.code, self.variables, locale=locale)

    @property
    def operator_text(self) -> str:
        """Code, summary and bounded detail on one line. Callers keep secrets out of detail and variables."""
        text = f"{self.code}: {self.translation().operator_summary}"
        if self.operator_detail:
            text += f" [{plain(self.operator_detail, DETAIL_LENGTH)}]"
        for error in self.errors:
            text += f" {error.pointer}: {error.code}."
        return text

    def __str__(self) -> str:
        return self.operator_text
