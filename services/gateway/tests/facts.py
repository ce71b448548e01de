"""What a verifier says, in few words."""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from clearline.contracts import verification as contract
from clearline.contracts.event import Event, EventType
from clearline.contracts.ids import event_id
from clearline.contracts.verification import (
    STEPS,
    Failure,
    Step,
    VerificationFailed,
    VerificationProgressed,
    Verified,
)

FAILURE = Failure(
    code="AUTH_REJECTED",
    step="authenticate",
    field="/credentials/password",
    message="The password was refused.",
    remediation=("Enter it again.",),
    retry_class="config",
    retryable=False,
    fault_owner="ours",
    docs_url="/docs/errors#AUTH_REJECTED",
    operator_detail="for operators only",
)


def step(number: int) -> Step:
    return Step(name=STEPS[number], status="passed", duration_ms=float(number), evidence={"number": number})


def progressed(verification_id: UUID, number: int, *, revision: int | None = 1) -> Event:
    body = VerificationProgressed(
        verification_id=verification_id, connection_id=uuid4(), revision=revision, number=number, step=step(number)
    )
    return _event(contract.PROGRESSED, verification_id, body, number)


def verified(verification_id: UUID, *, steps: int = 6, revision: int | None = 1) -> Event:
    told = tuple(step(number) for number in range(steps))
    body = Verified(verification_id=verification_id, connection_id=uuid4(), revision=revision, kind="tcp", steps=told)
    return _event(contract.VERIFIED, verification_id, body)


def failed(verification_id: UUID, *, outcome: str = "failed", revision: int | None = 1) -> Event:
    body = VerificationFailed(
        verification_id=verification_id,
        connection_id=uuid4(),
        revision=revision,
        kind="tcp",
        outcome=cast("Any", outcome),
        steps=(step(0),),
        failure=FAILURE,
    )
    return _event(contract.FAILED, verification_id, body)


def _event(event_type: EventType, verification_id: UUID, body: object, ordinal: int = 0) -> Event:
    """The id that a second run of the same request makes again."""
    return Event(
        id=event_id(verification_id, event_type.name, ordinal),
        type=event_type,
        source="/clearline/verifier",
        subject=str(verification_id),
        time=datetime.now(UTC),
        key=str(verification_id),
        data=body,
        correlation_id="corr-test-1",
    )
