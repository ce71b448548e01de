"""`/session` and `/version`: who asks, and who answers."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from gateway.api.access import Viewer
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, Environment, Role

router = APIRouter(prefix=PREFIX, tags=["about"])


class SessionAnswer(Answer):
    """The holder of the token that was sent."""

    id: UUID
    name: str
    role: Role
    environments: list[Environment]


class VersionAnswer(Answer):
    """What answers here."""

    version: str
    installation: str


@router.get("/session", operation_id="getSession", response_model=SessionAnswer)
async def session(at: Viewer) -> dict[str, Any]:
    """Who this token belongs to, and what it may do."""
    who = at.caller.principal
    return {"id": who.id, "name": who.name, "role": who.role, "environments": list(who.environments)}


@router.get("/version", operation_id="getVersion", response_model=VersionAnswer)
async def version(request: Request, _at: Viewer) -> dict[str, Any]:
    """The gateway's version and the name of its installation."""
    about: dict[str, Any] = request.app.state.about
    return about
