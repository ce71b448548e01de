"""`/connection-kinds`: what can be connected, and the forms that ask for it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from clearline.catalogue import ClearlineError
from clearline.probes.probe import Kind
from clearline.probes.registry import KINDS
from gateway.api.access import Viewer
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, StepName

router = APIRouter(prefix=f"{PREFIX}/connection-kinds", tags=["kinds"])
Shown = dict[str, Any]


class PermissionAnswer(Answer):
    """Something the other side must allow."""

    name: str
    description: str


class KindAnswer(Answer):
    """A kind of connection."""

    name: str
    title: str
    description: str
    config: dict[str, Any] = Field(description="JSON Schema of the public config.")
    credentials: dict[str, Any] = Field(description="JSON Schema of the credentials.")
    permissions: list[PermissionAnswer]
    steps: list[StepName]


@router.get("", operation_id="listConnectionKinds", response_model=Page[KindAnswer])
async def list_all(paging: Annotated[Paging, Query()], _at: Viewer) -> Shown:
    """Every kind, on one page."""
    if paging.cursor is not None:
        raise ClearlineError("CURSOR_INVALID")
    return {"items": [_shown(kind) for kind in KINDS.values()], "next_cursor": None}


@router.get("/{kind}", operation_id="getConnectionKind", response_model=KindAnswer)
async def get(kind: Annotated[str, Path(max_length=63)], _at: Viewer) -> Shown:
    """One kind with its forms."""
    if (found := KINDS.get(kind)) is None:
        raise ClearlineError("KIND_UNKNOWN")
    return _shown(found)


def _shown(kind: Kind) -> Shown:
    return {
        "name": kind.name,
        "title": kind.title,
        "description": kind.description,
        "config": kind.config.model_json_schema(),
        "credentials": kind.credentials.model_json_schema(),
        "permissions": [{"name": each.name, "description": each.description} for each in kind.permissions],
        "steps": list(kind.steps),
    }
