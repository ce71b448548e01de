"""`/tokens`: who may talk to Clearline, and as what. Admins only."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from gateway.api.access import Admin
from gateway.api.connection_requests import Name
from gateway.api.paging import Page, Paging
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, Environment, Moment, Request, Role
from gateway.commands.create_token import CreateToken
from gateway.commands.revoke_token import RevokeToken
from gateway.queries.tokens import ListTokens, TokenById

router = APIRouter(prefix=f"{PREFIX}/tokens", tags=["tokens"])
Shown = dict[str, Any]
TokenState = Literal["valid", "expired", "revoked"]
LastToo = Annotated[bool, Query(description="Also the last admin's token of an environment, which is refused else.")]


class CreateTokenRequest(Request):
    """A new token; its rights are at most its maker's."""

    name: Name
    role: Role
    environments: list[Environment] | None = Field(
        default=None, min_length=1, max_length=3, description="Where it holds; all that the maker has if left out."
    )
    expires_at: Moment | None = None


class TokenAnswer(Answer):
    """A token without its text, which nobody can read again."""

    id: UUID
    name: str
    role: Role
    environments: list[Environment]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    state: TokenState


class CreatedTokenAnswer(TokenAnswer):
    """A token with its text: this is the only time that it is shown."""

    token: str


@router.post("", status_code=201, operation_id="createToken", response_model=CreatedTokenAnswer)
async def create(body: CreateTokenRequest, response: Response, at: Admin) -> Shown:
    """Make a token. Store its text now: it cannot be read again."""
    environments = None if body.environments is None else tuple(body.environments)
    command = CreateToken(name=body.name, role=body.role, environments=environments, expires_at=body.expires_at)
    made = await at.perform(command)
    response.headers["location"] = f"/api/v1/tokens/{made.id}"
    return {**made.shown, "token": made.text}


@router.get("", operation_id="listTokens", response_model=Page[TokenAnswer])
async def list_all(paging: Annotated[Paging, Query()], at: Admin) -> Shown:
    """Tokens within the caller's environments, newest first."""
    return await at.ask(ListTokens(limit=paging.limit, cursor=paging.cursor))


@router.get("/{token_id}", operation_id="getToken", response_model=TokenAnswer)
async def get(token_id: UUID, at: Admin) -> Shown:
    """One token."""
    return await at.ask(TokenById(token_id))


@router.delete("/{token_id}", status_code=204, operation_id="revokeToken")
async def revoke(token_id: UUID, at: Admin, last_too: LastToo = False) -> None:  # noqa: FBT002 - a query
    """Withdraw a token: its next request is refused."""
    await at.perform(RevokeToken(token_id=token_id, last_too=last_too))
