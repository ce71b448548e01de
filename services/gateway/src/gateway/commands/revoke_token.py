"""Withdraws a token: the next request that presents it is refused."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.commands.record import write_audit
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Take a token's rights away; revoking it twice is fine."""

    token_id: UUID
    last_too: bool = False
    """Also the last admin's: nobody is locked out unawares."""

    async def run(self, work: Work) -> UUID:
        """The id. Raises LAST_ADMIN, or TOKEN_NOT_FOUND, also for tokens beyond the caller's environments."""
        row = await work.connection.fetchrow(sql("token_lock"), self.token_id)
        if row is None:
            raise ClearlineError("TOKEN_NOT_FOUND")
        if row["revoked_at"] is None:
            await self._leave_an_admin(work)
            await work.connection.execute(sql("token_revoke"), self.token_id, work.now)
            gone = {"name": row["name"], "role": row["role"]}
            await write_audit(work, "token.revoked", "token", self.token_id, environment=None, before=gone)
        return self.token_id

    async def _leave_an_admin(self, work: Work) -> None:
        deserted: list[str] = await work.connection.fetchval(sql("token_admins_left"), self.token_id)
        if deserted and not self.last_too:
            raise ClearlineError("LAST_ADMIN", environment=", ".join(deserted))
