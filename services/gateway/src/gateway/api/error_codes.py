"""`/error-catalogue`: every code with its words. Operators also read what it means for them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from clearline.catalogue import ClearlineError, Entry, load
from clearline.catalogue.entry import SOURCE_LOCALE
from gateway.api.access import Viewer
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, FaultOwner, RetryClass

router = APIRouter(prefix=f"{PREFIX}/error-catalogue", tags=["catalogue"])
Shown = dict[str, Any]


class CodeAnswer(Answer):
    """A code of the catalogue; `{…}` in a sentence stands for a value."""

    code: str
    domain: str
    retry_class: RetryClass
    retryable: bool
    fault_owner: FaultOwner
    severity: str
    http_status: int
    title: str
    user_message: str
    remediation: list[str]
    docs_url: str
    operator_summary: str | None = None


@router.get("", operation_id="listErrorCodes", response_model=Page[CodeAnswer], response_model_exclude_unset=True)
async def list_all(paging: Annotated[Paging, Query()], at: Viewer) -> Shown:
    """The whole catalogue, on one page."""
    if paging.cursor is not None:
        raise ClearlineError("CURSOR_INVALID")
    for_operators = at.caller.principal.sees_operator_detail
    return {"items": [_shown(entry, for_operators=for_operators) for entry in load()], "next_cursor": None}


def _shown(entry: Entry, *, for_operators: bool) -> Shown:
    _, message = entry.message(SOURCE_LOCALE)
    shown: Shown = {
        "code": entry.code,
        "domain": entry.domain,
        "retry_class": entry.retry_class,
        "retryable": entry.retryable,
        "fault_owner": entry.fault_owner,
        "severity": entry.severity,
        "http_status": entry.http_status,
        "title": message.title,
        "user_message": message.user_message,
        "remediation": list(message.remediation),
        "docs_url": entry.docs_url,
    }
    return shown | ({"operator_summary": entry.operator_summary} if for_operators else {})
