"""A connection and its verification as every endpoint returns them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from gateway.api.values import (
    Answer,
    Environment,
    FaultOwner,
    HealthStatus,
    Lifecycle,
    RetryClass,
    StepName,
    StepStatus,
    VerificationStatus,
)


class StepAnswer(Answer):
    """One rung of the ladder."""

    name: StepName
    status: StepStatus
    duration_ms: float
    evidence: dict[str, Any]
    skipped_because: str | None


class FailureAnswer(Answer):
    """Why a verification proved nothing, in words for users; `operator_detail` is there for operators only."""

    code: str = Field(examples=["AUTH_REJECTED"])
    step: StepName | None
    field: str | None = Field(description="JSON pointer of the form field to fix.", examples=["/credentials/password"])
    message: str
    remediation: list[str]
    retry_class: RetryClass
    retryable: bool
    fault_owner: FaultOwner
    docs_url: str
    operator_detail: str | None = None


class VerificationAnswer(Answer):
    """One verification of one revision; while it is pending its steps grow."""

    id: UUID
    connection_id: UUID
    revision: int
    status: VerificationStatus
    why: str = Field(description="created, edited, manual or renewal.")
    correlation_id: str
    requested_at: datetime
    requested_by: str
    completed_at: datetime | None
    expires_at: datetime | None
    steps: list[StepAnswer]
    failure: FailureAnswer | None


class ConnectionTestAnswer(Answer):
    """A test of unsaved values, in the form of a verification; its success proves no revision."""

    id: UUID
    connection_id: UUID | None = Field(description="Whose stored secrets it uses, if any.")
    revision: None = None
    environment: Environment
    kind: str
    status: VerificationStatus
    why: str = Field(description="unsaved.")
    correlation_id: str
    requested_at: datetime
    requested_by: str
    cancelled_by: str | None = Field(description="Who asked for its end; it is `cancelled` when that has come.")
    completed_at: datetime | None
    expires_at: None = None
    kept_until: datetime = Field(description="Then it is gone.")
    steps: list[StepAnswer]
    failure: FailureAnswer | None


class StoredCredential(Answer):
    """A credential is never read back; this says that there is one."""

    stored: bool
    changed_at: datetime


class BeatAnswer(Answer):
    """How often a connection is asked whether it lives, and how many answers decide."""

    interval_seconds: int
    timeout_seconds: int
    failure_threshold: int
    recovery_threshold: int
    degraded_after_ms: int | None = None


class LiveRevision(Answer):
    """What is live while a newer revision waits."""

    revision: int
    config: dict[str, Any]
    credentials: dict[str, StoredCredential]
    verification: VerificationAnswer | None
    verified_until: datetime | None = Field(default=None, description="As above, of the live revision.")


class ConnectionAnswer(Answer):
    """A connection. `config`, `credentials` and `verification` describe `revision`, the newest."""

    id: UUID
    name: str
    environment: Environment
    owner: str | None
    kind: str
    config: dict[str, Any]
    credentials: dict[str, StoredCredential]
    beat: BeatAnswer
    lifecycle: Lifecycle
    health: HealthStatus
    revision: int
    live_revision: int | None
    staged_revision: int | None
    last_live_revision: int | None = Field(description="May be activated again by its number.")
    verification: VerificationAnswer | None = Field(description="The newest: pending while a renewal runs, too.")
    verified_until: datetime | None = Field(
        description="Until when this revision's newest success holds, whatever a later verification found."
    )
    live: LiveRevision | None = Field(default=None, description="Only where it differs from the newest revision.")
    last_verified_at: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    version: int = Field(description="The ETag without its quotes.")


class ChangeAnswer(Answer):
    """One thing that was done to a connection. Operators also read it before and after; a secret is only `changed`."""

    id: int
    at: datetime
    principal: str
    token_id: UUID | None
    action: str
    correlation_id: str
    parts: list[str] = Field(description="The fields that differ.")
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
