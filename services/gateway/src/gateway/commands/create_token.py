"""Hands out an API token. Its text is in the answer once; the database keeps a hash."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from clearline.catalogue import ClearlineError, FieldError
from clearline.contracts.connection import Environment
from clearline.probes.naming import canonical_name, name_fault
from gateway.commands.draft import refuse
from gateway.commands.record import write_audit
from gateway.commands.work import ToldOnce, Work
from gateway.queries.reading import Reading
from gateway.queries.tokens import TokenById
from gateway.read_model import sql
from gateway.security.principal import Role
from gateway.security.tokens import new_token


@dataclass(frozen=True, slots=True)
class CreatedToken(ToldOnce):
    """The only time that the text is there."""

    code: ClassVar[str] = "TOKEN_SHOWN_ONCE"
    id: UUID
    text: str
    shown: dict[str, Any]
    """As `GET` shows it. Read in the same transaction: were a look after it to fail, the text would be lost."""

    def __repr__(self) -> str:
        return f"CreatedToken({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """A token with rights that its maker has too."""

    name: str
    role: Role
    environments: tuple[Environment, ...] | None = None
    """None means all that the maker has."""
    expires_at: datetime | None = None

    async def run(self, work: Work) -> CreatedToken:
        """The new token. Raises VALIDATION_FAILED, or NOT_ALLOWED for rights that the maker lacks."""
        own = work.caller.principal.environments
        environments = tuple(dict.fromkeys(own if self.environments is None else self.environments))
        expires_at = await self._expiry(work)
        refuse([name_fault(self.name), _expiry_fault(expires_at, work.now)])
        if beyond := sorted(set(environments) - set(own)):
            raise ClearlineError("NOT_ALLOWED", pointer="/environments", role="admin", environment=beyond[0])
        token_id, name = work.tools.new_id(), canonical_name(self.name)
        text, digest = new_token()
        await work.connection.execute(
            sql("token_insert"),
            *(token_id, name, digest, self.role, list(environments), work.now, work.by, expires_at),
        )
        given = {
            "name": name,
            "role": self.role,
            "environments": list(environments),
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        await write_audit(work, "token.created", "token", token_id, environment=None, after=given)
        reading = Reading(connection=work.connection, caller=work.caller, now=work.now)
        return CreatedToken(token_id, text, await TokenById(token_id).run(reading))

    async def _expiry(self, work: Work) -> datetime | None:
        """The end that was asked for. A token that ends hands out none that ends later, and its own end by default."""
        own: datetime | None = await work.connection.fetchval(sql("token_expiry"), work.caller.principal.id)
        if own is None or self.expires_at is None:
            return self.expires_at or own
        if self.expires_at > own:
            refuse([FieldError.of("/expires_at", "FIELD_FORMAT", expected=f"at most {own.isoformat()}, as your own")])
        return self.expires_at


def _expiry_fault(expires_at: datetime | None, now: datetime) -> FieldError | None:
    if expires_at is None or expires_at > now:
        return None
    return FieldError.of("/expires_at", "FIELD_FORMAT", expected="a time in the future")
