"""Who may call what: the bearer token's holder, and the role that a route needs."""

from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from clearline.catalogue import ClearlineError, FieldError
from gateway.api.attempts import attempt_of
from gateway.api.correlation import correlation_id_of
from gateway.api.faults import MAX_FAULTS, pointer_of
from gateway.api.quotas import address_of, count, limits_of
from gateway.commands.desk import Desk
from gateway.commands.work import Command
from gateway.queries.reading import Question
from gateway.security.principal import Caller, Principal, Role

R = TypeVar("R")
BEARER = HTTPBearer(description="An API token: `Authorization: Bearer clt_…`.")


@dataclass(frozen=True, slots=True)
class Seat:
    """A caller at the desk: what a route can do is done with this caller's rights."""

    desk: Desk
    caller: Caller

    def ask(self, question: Question[R]) -> Awaitable[R]:
        """The answer to a question."""
        return self.desk.ask(self.caller, question)

    def perform(self, command: Command[R]) -> Awaitable[R]:
        """Do all of a command, or nothing."""
        return self.desk.perform(self.caller, command)

    def change(self, command: Command[UUID]) -> Awaitable[dict[str, Any]]:
        """Do a command about one connection and show it as that command left it."""
        return self.desk.change(self.caller, command)


def refuse_doubled(parameters: Iterable[tuple[str, str]]) -> None:
    """A parameter that stands twice has no one meaning. Raises VALIDATION_FAILED."""
    times = Counter(name for name, _ in parameters)
    if doubled := [pointer_of(("query", name)) for name, count in times.items() if count > 1]:
        errors = [FieldError.of(pointer, "FIELD_FORMAT", expected="given once") for pointer in doubled[:MAX_FAULTS]]
        raise ClearlineError("VALIDATION_FAILED", pointer=doubled[0], errors=errors)


class SignedIn(SecurityBase):
    """A dependency that lets callers of at least one role through.

    One for all that a caller needs: each further one below it would cost every request another round of the framework.
    """

    def __init__(self, role: Role) -> None:
        self.model = BEARER
        self.scheme_name = "token"
        self._role = role

    async def __call__(self, request: Request) -> Seat:
        """The caller at the desk. Raises NOT_AUTHENTICATED, RATE_LIMITED, NOT_ALLOWED, VALIDATION_FAILED."""
        desk = cast("Desk", request.app.state.desk)
        principal = await _signed_in(request, _bearer(request), desk)
        count(request, principal)
        if not principal.may(self._role):
            raise ClearlineError("NOT_ALLOWED", role=self._role)
        if request.scope["query_string"]:
            refuse_doubled(request.query_params.multi_items())
        return Seat(desk, Caller(principal, correlation_id_of(request.scope), await attempt_of(request)))


def _bearer(request: Request) -> str:
    given = request.headers.getlist("authorization")
    if len(given) > 1:  # what stands before us may have looked at the other one
        raise ClearlineError("NOT_AUTHENTICATED", why="the header Authorization stands there twice")
    scheme, _, token = "".join(given).partition(" ")
    if scheme.lower() != "bearer" or not (token := token.strip()):
        raise ClearlineError("NOT_AUTHENTICATED", why="no bearer token in the header Authorization")
    return token


async def _signed_in(request: Request, token: str, at: Desk) -> Principal:
    """The token's holder. What is counted as a failure is a token that nobody holds, not one that has ended."""
    limits = limits_of(request)
    if limits.knows(token):
        return await _identified(request, token, at)
    async with limits.turn(address_of(request), token):
        return await _identified(request, token, at)


async def _identified(request: Request, token: str, at: Desk) -> Principal:
    limits = limits_of(request)
    try:
        principal = await at.identify(token)
    except ClearlineError as error:
        if error.code == "NOT_AUTHENTICATED":
            limits.note_failure(address_of(request))
        raise
    limits.note_success(token)
    return principal


Viewer = Annotated[Seat, Depends(SignedIn("viewer"))]
Operator = Annotated[Seat, Depends(SignedIn("operator"))]
Admin = Annotated[Seat, Depends(SignedIn("admin"))]
