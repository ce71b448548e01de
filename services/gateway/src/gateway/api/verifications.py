"""`/connections/{id}/verify` and `/verifications`: ask for a proof, and follow it step by step."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from gateway.api.access import Operator, Viewer
from gateway.api.connection_models import VerificationAnswer
from gateway.api.connection_requests import RevisionRequest
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.prefer import Waiting
from gateway.api.values import Answer
from gateway.commands.cancel_verification import CancelVerification
from gateway.commands.request_verification import RequestVerification
from gateway.queries.verifications import ListVerifications, VerificationById

router = APIRouter(prefix=f"{PREFIX}/connections/{{connection_id}}", tags=["verifications"])
Shown = dict[str, Any]


class VerifyAnswer(Answer):
    """What to follow; the header Location leads there."""

    verification_id: UUID
    correlation_id: str = Field(description="Of the verification's events and logs.")
    verification: VerificationAnswer | None = Field(
        default=None, description="Its end, where `Prefer: wait=N` was sent and it came in time."
    )


@router.post(
    "/verify",
    status_code=202,
    operation_id="verifyConnection",
    response_model=VerifyAnswer,
    response_model_exclude_unset=True,
)
async def verify(
    *,
    connection_id: UUID,
    response: Response,
    wish: Waiting,
    at: Operator,
    body: RevisionRequest | None = None,
) -> Shown:
    """Ask for a verification. One that is pending for the same revision is the answer already."""
    revision = body.revision if body else None
    asked = await at.perform(RequestVerification(connection_id=connection_id, revision=revision))
    response.headers["location"] = f"/api/v1/connections/{connection_id}/verifications/{asked.verification_id}"
    answer: Shown = {"verification_id": asked.verification_id, "correlation_id": asked.correlation_id}
    question = VerificationById(connection_id, asked.verification_id)
    ended = await wish.end_of(asked.verification_id, lambda: at.ask(question), response)
    return answer if ended is None else {**answer, "verification": ended}


@router.get(
    "/verifications",
    operation_id="listVerifications",
    response_model=Page[VerificationAnswer],
    response_model_exclude_unset=True,
)
async def list_all(connection_id: UUID, paging: Annotated[Paging, Query()], at: Viewer) -> Shown:
    """Every verification of a connection, newest first."""
    return await at.ask(ListVerifications(connection_id=connection_id, limit=paging.limit, cursor=paging.cursor))


@router.get(
    "/verifications/{verification_id}",
    operation_id="getVerification",
    response_model=VerificationAnswer,
    response_model_exclude_unset=True,
)
async def get(connection_id: UUID, verification_id: UUID, at: Viewer) -> Shown:
    """One verification; poll it while its status is `pending`."""
    return await at.ask(VerificationById(connection_id, verification_id))


@router.delete(
    "/verifications/{verification_id}",
    status_code=202,
    operation_id="cancelVerification",
    response_model=VerificationAnswer,
    response_model_exclude_unset=True,
)
async def cancel(connection_id: UUID, verification_id: UUID, at: Operator) -> Shown:
    """End a running verification. It is `cancelled` when the verifier has answered; one that ended stays as it is."""
    await at.perform(CancelVerification(connection_id=connection_id, verification_id=verification_id))
    return await at.ask(VerificationById(connection_id, verification_id))
