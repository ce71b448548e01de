"""Who may call what: the bearer token's holder, and the role that a route needs."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clearline.catalogue import ClearlineError, FieldError
from gateway.api.attempts import attempt_of
from gateway.api.correlation import correlation_id_of
from gateway.api.faults import MAX_FAULTS, pointer_of
from gateway.api.quotas import address_of, count, limits_of
from gateway.commands.desk import Desk
from gateway.security.principal import Caller, Principal, Role

BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="An API token: `Authorization: Bearer clt_…`.")


async def desk(request: Request) -> Desk:
    """The one object through which routes reach commands and questions (async: else it would hop to a thread)."""
    return cast("Desk", request.app.state.desk)


def refuse_doubled(parameters: Iterable[tuple[str, str]]) -> None:
    """A parameter that stands twice has no one meaning. Raises VALIDATION_FAILED."""
    times = Counter(name for name, _ in parameters)
    if doubled := [pointer_of(("query", name)) for name, count in times.items() if count > 1]:
        errors = [FieldError.of(pointer, "FIELD_FORMAT", expected="given once") for pointer in doubled[:MAX_FAULTS]]
        raise ClearlineError("VALIDATION_FAILED", pointer=doubled[0], errors=errors)


def caller_with(role: Role) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets callers of at least this role through."""

    async def allowed(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        at: Annotated[Desk, Depends(desk)],
    ) -> Caller:
        if given is None:
            raise ClearlineError("NOT_AUTHENTICATED", why="no bearer token in the header Authorization")
        principal = await _signed_in(request, given.credentials, at)
        count(request, principal)
        if not principal.may(role):
            raise ClearlineError("NOT_ALLOWED", role=role)
        refuse_doubled(request.query_params.multi_items())
        return Caller(principal, correlation_id_of(request.scope), await attempt_of(request))

    return allowed


async def _signed_in(request: Request, token: str, at: Desk) -> Principal:
    """The token's holder. What is counted as a failure is a token that nobody holds, not one that has ended."""
    limits, address = limits_of(request), address_of(request)
    async with limits.turn(address, token):
        try:
            principal = await at.identify(token)
        except ClearlineError as error:
            if error.code == "NOT_AUTHENTICATED":
                limits.note_failure(address)
            raise
        limits.note_success(token)
    return principal


AtDesk = Annotated[Desk, Depends(desk)]
Viewer = Annotated[Caller, Depends(caller_with("viewer"))]
Operator = Annotated[Caller, Depends(caller_with("operator"))]
Admin = Annotated[Caller, Depends(caller_with("admin"))]
