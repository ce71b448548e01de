"""Who may call what: the bearer token's holder, and the role that a route needs."""

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clearline.catalogue import ClearlineError
from gateway.api.correlation import correlation_id_of
from gateway.commands.desk import Desk
from gateway.security.principal import Caller, Role

BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="An API token: `Authorization: Bearer clt_…`.")


async def desk(request: Request) -> Desk:
    """The one object through which routes reach commands and questions (async: else it would hop to a thread)."""
    return cast("Desk", request.app.state.desk)


def caller_with(role: Role) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets callers of at least this role through."""

    async def allowed(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        at: Annotated[Desk, Depends(desk)],
    ) -> Caller:
        if given is None:
            raise ClearlineError("NOT_AUTHENTICATED", why="no bearer token in the header Authorization")
        principal = await at.identify(given.credentials)
        if not principal.may(role):
            raise ClearlineError("NOT_ALLOWED", role=role)
        return Caller(principal, correlation_id_of(request.scope))

    return allowed


AtDesk = Annotated[Desk, Depends(desk)]
Viewer = Annotated[Caller, Depends(caller_with("viewer"))]
Operator = Annotated[Caller, Depends(caller_with("operator"))]
Admin = Annotated[Caller, Depends(caller_with("admin"))]
