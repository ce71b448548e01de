"""`/audit`: who did what, for operators."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.access import AtDesk, Operator
from gateway.api.paging import Page, Paging
from gateway.api.values import Answer, Moment, Text
from gateway.queries.audit import ListAudit

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditAnswer(Answer):
    """One action with what it changed."""

    id: int
    at: datetime
    principal: str
    action: str
    object_type: str
    object_id: str
    environment: str | None
    correlation_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditFilters(Paging):
    """Query of the audit."""

    principal: Text | None = None
    action: Text | None = None
    object_id: Text | None = None
    correlation_id: Text | None = Field(
        default=None, description="The reference that an answer or a problem told: all that it caused."
    )
    since: Moment | None = None
    until: Moment | None = None


@router.get("", operation_id="listAudit", response_model=Page[AuditAnswer])
async def list_all(filters: Annotated[AuditFilters, Query()], caller: Operator, at: AtDesk) -> dict[str, Any]:
    """The audit, newest first, within the caller's environments."""
    return await at.ask(caller, ListAudit(**filters.model_dump()))
