"""The catalogue, and the translation of a code into what each reader is told."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from clearline.catalogue.entry import SOURCE_LOCALE, Domain, Entry, Record, Severity, Variable, entry_of
from clearline.catalogue.wording import fill, typed
from clearline.contracts.verification import FaultOwner, RetryClass

FALLBACK_CODE = "UNEXPECTED"
"""What a code that the catalogue does not know is told as: safe, and counted by `on_miss`."""

OnMiss = Callable[[str], None]


class CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data file: its version, the vocabulary of variables, and the codes."""

    version: int
    variables: dict[str, Variable]
    codes: dict[str, Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A code told to everyone: `user_message` and `remediation` to users, `operator_summary` to operators."""

    code: str
    title: str
    user_message: str
    operator_summary: str
    remediation: tuple[str, ...]
    domain: Domain
    retry_class: RetryClass
    retryable: bool
    fault_owner: FaultOwner
    severity: Severity
    http_status: int
    docs_url: str
    locale: str
    metadata: Mapping[str, str | int | float]
    """Values of the variables that users may read, so that no program has to read sentences."""


def _count_nothing(code: str) -> None:
    """No hook: the miss is told by the fallback's own text alone."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every code that Clearline tells anyone about. `on_miss` gets any other code: count it, never label by it."""

    version: int
    entries: Mapping[str, Entry]
    on_miss: OnMiss = _count_nothing

    def __contains__(self, code: object) -> bool:
        return code in self.entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def entry(self, code: str) -> Entry:
        """The entry of a code, or the fallback's."""
        found = self.entries.get(code)
        if found is None:
            self.on_miss(code)
            return self.entries[FALLBACK_CODE]
        return found

    def translate(
        self, code: str, variables: Mapping[str, object] | None = None, *, locale: str = SOURCE_LOCALE
    ) -> Translation:
        """Tell a code. Never raises: an unknown code falls back, a missing variable reads `(not known)`."""
        entry = self.entry(code)
        values = variables or {}
        spoken, message = entry.message(locale)
        return Translation(
            code=entry.code,
            title=message.title,
            user_message=fill(message.user_message, values, entry.variables),
            operator_summary=fill(entry.operator_summary, values, entry.variables),
            remediation=tuple(fill(step, values, entry.variables) for step in message.remediation),
            domain=entry.domain,
            retry_class=entry.retry_class,
            retryable=entry.retryable,
            fault_owner=entry.fault_owner,
            severity=entry.severity,
            http_status=entry.http_status,
            docs_url=entry.docs_url,
            locale=spoken,
            metadata=typed(values, entry.variables),
        )


def load(on_miss: OnMiss = _count_nothing) -> Catalogue:
    """The catalogue that ships with this version; read once per process."""
    version, entries = _read()
    return Catalogue(version, entries, on_miss)


@cache
def _read() -> tuple[int, Mapping[str, Entry]]:
    text = files("clearline.catalogue").joinpath("codes.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> tuple[int, Mapping[str, Entry]]:
    """Version and entries of a data file; raises where it says something that no reader would understand."""
    data = msgspec.convert(tomllib.loads(text), CatalogueFile)
    return data.version, {code: entry_of(code, record, data.variables) for code, record in data.codes.items()}


def translate(code: str, variables: Mapping[str, object] | None = None, *, locale: str = SOURCE_LOCALE) -> Translation:
    """Tell a code by the shipped catalogue, where nobody counts misses."""
    return load().translate(code, variables, locale=locale)
