"""`/audit`: who did what, for operators."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.access import Operator
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, Moment, Text
from gateway.queries.audit import ListAudit

router = APIRouter(prefix=f"{PREFIX}/audit", tags=["audit"])


class AuditAnswer(Answer):
    """One action with what it changed."""

    id: int
    at: datetime
    principal: str = Field(description="The token's name with the first digits of its id.")
    token_id: UUID | None = Field(description="The token that acted; null where whoever installs Clearline did.")
    action: str
    object_type: str
    object_id: str
    environment: str | None
    correlation_id: str
    parts: list[str] = Field(description="The fields that differ.")
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditFilters(Paging):
    """Query of the audit."""

    principal: Text | None = None
    actor: Text | None = Field(default=None, description="Who did it: a token's id, or `principal` as entries show it.")
    action: Text | None = None
    connection_id: UUID | None = Field(default=None, description="What was done to one connection.")
    object_id: Text | None = None
    correlation_id: Text | None = Field(
        default=None, description="The reference that an answer or a problem told: all that it caused."
    )
    since: Moment | None = None
    until: Moment | None = None


@router.get("", operation_id="listAudit", response_model=Page[AuditAnswer])
async def list_all(filters: Annotated[AuditFilters, Query()], at: Operator) -> dict[str, Any]:
    """The audit, newest first, within the caller's environments."""
    values = filters.model_dump(exclude={"actor"})
    return await at.ask(ListAudit(**values | _actor(filters.actor)))


def _actor(actor: str | None) -> dict[str, Any]:
    """An id is the token's; anything else is how entries name the caller."""
    if actor is None:
        return {}
    try:
        return {"token_id": UUID(actor)}
    except ValueError:
        return {"principal": actor}
