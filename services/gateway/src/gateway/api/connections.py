"""`/connections`: configure, read, edit, retire."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from clearline.probes.naming import canonical_name
from gateway.api.access import Operator, Viewer
from gateway.api.connection_models import ChangeAnswer, ConnectionAnswer
from gateway.api.connection_requests import ConnectionFilters, CreateConnectionRequest, EditConnectionRequest
from gateway.api.edits import edit_of
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.preconditions import RequiredVersion, tell_version
from gateway.commands.retire_connection import RetireConnection
from gateway.queries.audit import ConnectionHistory
from gateway.queries.connections import ConnectionById, ListConnections

router = APIRouter(prefix=f"{PREFIX}/connections", tags=["connections"])
Shown = dict[str, Any]


@router.post(
    "",
    status_code=201,
    operation_id="createConnection",
    response_model=ConnectionAnswer,
    response_model_exclude_unset=True,
)
async def create(body: CreateConnectionRequest, response: Response, at: Operator) -> Shown:
    """Configure a connection. Its first verification is queued by the same transaction."""
    shown = await at.change(body.command())
    response.headers["location"] = f"/api/v1/connections/{shown['id']}"
    tell_version(response, shown["version"])
    return shown


@router.get(
    "", operation_id="listConnections", response_model=Page[ConnectionAnswer], response_model_exclude_unset=True
)
async def list_all(filters: Annotated[ConnectionFilters, Query()], at: Viewer) -> Shown:
    """Connections that the caller may see, newest first."""
    values = filters.model_dump()
    if filters.name is not None:
        values["name"] = canonical_name(filters.name)
    return await at.ask(ListConnections(**values))


@router.get(
    "/{connection_id}", operation_id="getConnection", response_model=ConnectionAnswer, response_model_exclude_unset=True
)
async def get(connection_id: UUID, response: Response, at: Viewer) -> Shown:
    """One connection; its ETag goes back as If-Match."""
    shown = await at.ask(ConnectionById(connection_id))
    tell_version(response, shown["version"])
    return shown


@router.put(
    "/{connection_id}",
    operation_id="editConnection",
    response_model=ConnectionAnswer,
    response_model_exclude_unset=True,
)
async def edit(
    *,
    at: Operator,  # before the version: who may not edit is told that first
    connection_id: UUID,
    expected: RequiredVersion,
    body: EditConnectionRequest,
    response: Response,
) -> Shown:
    """Change a connection. New config or credentials make a new revision and queue its verification."""
    shown = await at.change(edit_of(connection_id, expected, body))
    tell_version(response, shown["version"])
    return shown


@router.delete(
    "/{connection_id}",
    status_code=202,
    operation_id="retireConnection",
    response_model=ConnectionAnswer,
    response_model_exclude_unset=True,
)
async def retire(at: Operator, connection_id: UUID, expected: RequiredVersion, response: Response) -> Shown:
    """Retire a connection for good. Its credentials are gone at once and its name is free."""
    shown = await at.change(RetireConnection(connection_id=connection_id, expected=expected))
    tell_version(response, shown["version"])
    return shown


@router.get(
    "/{connection_id}/history",
    operation_id="getConnectionHistory",
    response_model=Page[ChangeAnswer],
    response_model_exclude_unset=True,
)
async def history(connection_id: UUID, paging: Annotated[Paging, Query()], at: Viewer) -> Shown:
    """Who changed what and when, newest first."""
    return await at.ask(ConnectionHistory(connection_id=connection_id, limit=paging.limit, cursor=paging.cursor))
