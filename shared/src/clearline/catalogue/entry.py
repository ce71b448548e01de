"""One code of the catalogue as the data file states it: who is at fault, what helps, and what each reader is told."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from clearline.contracts.verification import FaultOwner, RetryClass

Domain = Literal["verification", "connection", "request", "access", "platform"]
Severity = Literal["info", "warning", "error", "critical"]
VariableType = Literal["text", "integer", "number"]
Audience = Literal["user", "operator"]

SOURCE_LOCALE = "en"


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that a message may name. What only operators may read never stands in a user's sentence."""

    type: VariableType
    audience: Audience
    description: str
    example: str | int | float
    max_length: int = 120
    """Longest text; the rest is cut."""
    minimum: float | None = None
    maximum: float | None = None
    """A number outside its bounds counts as not known."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What users read, in one language. Operators read the source language."""

    title: str
    user_message: str
    remediation: tuple[str, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the data file, as written."""

    domain: Domain
    retry_class: RetryClass
    fault_owner: FaultOwner
    severity: Severity
    http_status: int
    title: str
    user_message: str
    operator_summary: str
    remediation: tuple[str, ...]
    variables: tuple[str, ...] = ()
    messages: dict[str, Message] = {}
    """Locale → translated message."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A code with everything that a problem body, an alert, the console or the runbook says about it."""

    code: str
    domain: Domain
    retry_class: RetryClass
    """`config`: something must be changed; `transient`: the same may work later; `system`: Clearline is at fault."""
    fault_owner: FaultOwner
    """`remote`: the connected service; `ours`: what was entered or sent to Clearline, or Clearline itself."""
    severity: Severity
    http_status: int
    operator_summary: str
    variables: Mapping[str, Variable]
    messages: Mapping[str, Message]
    """Locale → message; the source locale is always there."""

    @property
    def retryable(self) -> bool:
        """Whether the same request may work later without any change."""
        return self.retry_class == "transient"

    @property
    def docs_url(self) -> str:
        """Place in the generated documentation, relative to wherever it is served."""
        return f"/docs/errors#{self.code}"

    def message(self, locale: str) -> tuple[str, Message]:
        """The locale that is spoken (`de-AT` → `de` → the source locale) and its message."""
        for candidate in (locale, locale.partition("-")[0]):
            if candidate in self.messages:
                return candidate, self.messages[candidate]
        return SOURCE_LOCALE, self.messages[SOURCE_LOCALE]


def entry_of(code: str, record: Record, vocabulary: Mapping[str, Variable]) -> Entry:
    """Join a record with the variables it names. A name that the vocabulary lacks is a KeyError at load."""
    source = Message(title=record.title, user_message=record.user_message, remediation=record.remediation)
    return Entry(
        code=code,
        domain=record.domain,
        retry_class=record.retry_class,
        fault_owner=record.fault_owner,
        severity=record.severity,
        http_status=record.http_status,
        operator_summary=record.operator_summary,
        variables={name: vocabulary[name] for name in record.variables},
        messages={SOURCE_LOCALE: source, **record.messages},
    )
