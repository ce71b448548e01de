"""`/connections/{id}/activate`, `/deactivate` and `/staged`: what is relied on."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response

from gateway.api.access import Admin, Operator
from gateway.api.connection_models import ConnectionAnswer
from gateway.api.connection_requests import RevisionRequest
from gateway.api.paths import PREFIX
from gateway.api.preconditions import OptionalVersion, tell_version
from gateway.api.values import Nothing
from gateway.commands.activate_connection import ActivateConnection
from gateway.commands.deactivate_connection import DeactivateConnection
from gateway.commands.discard_staged import DiscardStaged
from gateway.commands.erase_connection import EraseConnection

router = APIRouter(prefix=f"{PREFIX}/connections/{{connection_id}}", tags=["connections"])
Shown = dict[str, Any]


@router.post(
    "/activate", operation_id="activateConnection", response_model=ConnectionAnswer, response_model_exclude_unset=True
)
async def activate(
    *,
    connection_id: UUID,
    expected: OptionalVersion,
    response: Response,
    at: Operator,
    body: RevisionRequest | None = None,
) -> Shown:
    """Put a proven revision into service: the newest, or the last live one by its number."""
    revision = body.revision if body else None
    command = ActivateConnection(connection_id=connection_id, revision=revision, expected=expected)
    shown = await at.change(command)
    tell_version(response, shown["version"])
    return shown


@router.post(
    "/deactivate",
    operation_id="deactivateConnection",
    response_model=ConnectionAnswer,
    response_model_exclude_unset=True,
)
async def deactivate(
    *,
    connection_id: UUID,
    expected: OptionalVersion,
    response: Response,
    at: Operator,
    _body: Annotated[Nothing | None, Body(title="Nothing")] = None,
) -> Shown:
    """Take a connection out of service."""
    shown = await at.change(DeactivateConnection(connection_id=connection_id, expected=expected))
    tell_version(response, shown["version"])
    return shown


@router.post(
    ":erase", operation_id="eraseConnection", response_model=ConnectionAnswer, response_model_exclude_unset=True
)
async def erase(
    connection_id: UUID, at: Admin, _body: Annotated[Nothing | None, Body(title="Nothing")] = None
) -> Shown:
    """Erase what a retired connection held; that it was there and who did what to it stays, without contents."""
    return await at.change(EraseConnection(connection_id))


@router.delete(
    "/staged", operation_id="discardStagedRevision", response_model=ConnectionAnswer, response_model_exclude_unset=True
)
async def discard(connection_id: UUID, expected: OptionalVersion, response: Response, at: Operator) -> Shown:
    """Drop the revision that waits beside the live one."""
    shown = await at.change(DiscardStaged(connection_id=connection_id, expected=expected))
    tell_version(response, shown["version"])
    return shown
