"""The gateway's answers as far as people are shown them. What a newer gateway adds is ignored; a gap has a default."""

import shlex
from datetime import datetime
from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every answer: lenient, for the gateway may be older or newer than this command."""


class FieldProblem(Answer, frozen=True, kw_only=True):
    """What is wrong with one field of what was sent."""

    pointer: str = ""
    code: str = ""
    detail: str = ""


class Problem(Answer, frozen=True, kw_only=True):
    """An RFC 9457 problem."""

    status: int
    code: str = ""
    title: str = ""
    detail: str = ""
    user_message: str = ""
    correlation_id: str | None = None
    retryable: bool = False
    retry_after_seconds: float | None = None
    remediation: tuple[str, ...] = ()
    errors: tuple[FieldProblem, ...] = ()


class Step(Answer, frozen=True, kw_only=True):
    """One rung of the ladder."""

    name: str
    status: str
    duration_ms: float = 0.0
    evidence: dict[str, Any] = {}
    skipped_because: str | None = None


class Failure(Answer, frozen=True, kw_only=True):
    """Why a verification failed."""

    code: str
    step: str | None = None
    field: str | None = None
    message: str = ""
    remediation: tuple[str, ...] = ()
    fault_owner: str = ""
    docs_url: str = ""
    operator_detail: str | None = None
    """Only there for operators."""


class Verification(Answer, frozen=True, kw_only=True):
    """One verification, from pending to its end."""

    id: str
    revision: int | None = None
    status: str
    requested_at: datetime | None = None
    completed_at: datetime | None = None
    expires_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    correlation_id: str | None = None


class Live(Answer, frozen=True, kw_only=True):
    """The active revision where a newer one is staged beside it."""

    revision: int
    config: dict[str, Any] = {}
    verification: Verification | None = None


class Connection(Answer, frozen=True, kw_only=True):
    """A connection as every endpoint returns it."""

    id: str
    name: str
    environment: str
    kind: str
    owner: str | None = None
    config: dict[str, Any] = {}
    credentials: dict[str, Any] = {}
    beat: dict[str, Any] = {}
    lifecycle: str
    health: str = "unknown"
    revision: int
    live_revision: int | None = None
    staged_revision: int | None = None
    verification: Verification | None = None
    live: Live | None = None
    last_verified_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int | None = None
    """The ETag without its quotes."""

    @property
    def label(self) -> str:
        """The unique name by which people call it."""
        return f"{self.environment}/{self.name}"

    @property
    def argument(self) -> str:
        """The label as it is typed in a shell."""
        return shlex.quote(self.label)


class TestStarted(Answer, frozen=True, kw_only=True):
    """A test of unsaved values was asked for."""

    __test__ = False  # no test case, whatever its name

    test_id: str
    correlation_id: str | None = None


class VerificationQueued(Answer, frozen=True, kw_only=True):
    """A verification was asked for."""

    verification_id: str
    correlation_id: str | None = None
