"""The verification of one revision (or of unsaved values): asked for, step by step, and its one end."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from clearline.contracts.connection import Envelope, Environment
from clearline.contracts.event import Body, EventType, Moment

StepName = Literal["resolve", "connect", "tls", "authenticate", "authorize", "exercise"]
STEPS: tuple[StepName, ...] = ("resolve", "connect", "tls", "authenticate", "authorize", "exercise")
StepStatus = Literal["passed", "failed", "skipped"]
Why = Literal["created", "edited", "manual", "renewal", "unsaved"]
RetryClass = Literal["config", "transient", "system"]
FaultOwner = Literal["ours", "remote"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one rung of the ladder found."""

    name: StepName
    status: StepStatus
    duration_ms: float
    evidence: dict[str, Any] = {}
    """Bounded facts that are safe to show to a viewer; never a secret."""
    skipped_because: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a verification failed, in the catalogue's terms; `message` is the exact sentence that the user sees."""

    code: str
    step: StepName | None
    field: str | None
    """JSON pointer of the form field to fix, for example `/credentials/password`."""
    message: str
    remediation: tuple[str, ...]
    retry_class: RetryClass
    retryable: bool
    fault_owner: FaultOwner
    docs_url: str
    operator_detail: str
    """For operators only: shown to nobody else."""


class VerificationRequested(Body, frozen=True, kw_only=True):
    """Work for the verifier, complete in itself: it needs no other topic and never asks the gateway."""

    verification_id: UUID
    connection_id: UUID | None
    """For unsaved values: whose stored secrets are used; None where none are."""
    revision: int | None
    """None for unsaved values; `verification_id` is the test's id then."""
    environment: Environment
    kind: str
    config: dict[str, Any]
    envelopes: dict[str, Envelope] = {}
    """Each sealed for this destination, and for the connection, or (new in a test of unsaved values) the test's id."""
    why: Why
    requested_by: str
    deadline: Moment
    """After it the request is answered `VERIFICATION_OVERDUE` without dialling."""


class VerificationCancelRequested(Body, frozen=True, kw_only=True):
    """A control record: it overtakes the queue of its key and ends a running verification."""

    verification_id: UUID
    connection_id: UUID | None
    requested_by: str


class VerificationProgressed(Body, frozen=True, kw_only=True):
    """One step has ended; the verification is still pending."""

    verification_id: UUID
    connection_id: UUID | None
    revision: int | None
    number: int
    """Position of the step in the ladder, from 0."""
    step: Step


class Verified(Body, frozen=True, kw_only=True):
    """Every step that the kind has was passed or had a reason to be skipped."""

    verification_id: UUID
    connection_id: UUID | None
    revision: int | None
    kind: str
    steps: tuple[Step, ...]


class VerificationFailed(Body, frozen=True, kw_only=True):
    """The end of a verification that proved nothing: a step failed, or somebody cancelled it."""

    verification_id: UUID
    connection_id: UUID | None
    revision: int | None
    kind: str
    outcome: Literal["failed", "cancelled"] = "failed"
    steps: tuple[Step, ...]
    failure: Failure


REQUESTED = EventType(
    "clearline.connection.verification_requested.v1",
    VerificationRequested,
    "A revision or unsaved values shall be verified.",
)
CANCEL_REQUESTED = EventType(
    "clearline.connection.verification_cancel_requested.v1",
    VerificationCancelRequested,
    "A verification shall end now.",
)
PROGRESSED = EventType("clearline.connection.verification_progressed.v1", VerificationProgressed, "One step has ended.")
VERIFIED = EventType("clearline.connection.verified.v1", Verified, "A verification succeeded.")
FAILED = EventType(
    "clearline.connection.verification_failed.v1", VerificationFailed, "A verification failed or was cancelled."
)
