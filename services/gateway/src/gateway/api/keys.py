"""`/keys`: the keys that credentials are sealed for, and their rotation. Admins only; a key itself is never told."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from gateway.api.access import Admin
from gateway.api.paths import PREFIX
from gateway.api.values import Answer, Environment, Request
from gateway.commands.rotate_keys import RotateKeys
from gateway.queries.sealing_keys import SealingKeys

router = APIRouter(prefix=PREFIX, tags=["keys"])
Shown = dict[str, Any]


class RotateRequest(Request):
    """Which key the caller believes to be current, so that a gateway with another one refuses."""

    key_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")


class KeyAnswer(Answer):
    """One key by its id, and what is stored under it."""

    key_id: str
    current: bool
    envelopes: int
    connections: int
    oldest_at: datetime | None
    unreadable: int = Field(description="Connections whose credential under this key the verifier could not open.")
    last_named_at: datetime | None = Field(description="When a stored credential or a request last named it.")
    removable: bool = Field(description="Nothing that is stored or on its way names it: its private half may go.")
    removable_at: datetime | None


class ResealFailureAnswer(Answer):
    """A connection that kept a credential as it was, and why."""

    connection_id: UUID
    name: str
    environment: Environment
    at: datetime
    field: str | None
    key_id: str | None
    code: str
    operator_detail: str


class RotationAnswer(Answer):
    """The newest rotation. Counts are of connections."""

    id: UUID
    key_id: str
    status: Literal["running", "finished"]
    requested_at: datetime
    requested_by: str
    correlation_id: str
    pending: int
    resealed: int
    failed: int
    failures: list[ResealFailureAnswer] = Field(description="The first of them, within the caller's environments.")


class KeysAnswer(Answer):
    """All keys that something names, oldest first."""

    current_key_id: str
    items: list[KeyAnswer]
    envelopes_left: int = Field(description="Stored credentials under other keys than the current one.")
    rotation: RotationAnswer | None


@router.get("/keys", operation_id="getSealingKeys", response_model=KeysAnswer)
async def get(at: Admin) -> Shown:
    """What is stored under which key, how far the rotation is, and which private key may go."""
    return await at.ask(SealingKeys(at.desk.sealing_key_id))


@router.post("/keys:rotate", status_code=202, operation_id="rotateSealingKeys", response_model=KeysAnswer)
async def rotate(at: Admin, body: RotateRequest | None = None) -> Shown:
    """Have every stored credential sealed for the current key. Asking again while it goes on begins nothing new."""
    await at.perform(RotateKeys(key_id=body.key_id if body else None))
    return await at.ask(SealingKeys(at.desk.sealing_key_id))
