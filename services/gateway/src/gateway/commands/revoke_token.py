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

    async def run(self, work: Work) -> UUID:
        """The id. Raises TOKEN_NOT_FOUND, also for tokens beyond the caller's environments."""
        row = await work.connection.fetchrow(sql("token_lock"), self.token_id)
        if row is None:
            raise ClearlineError("TOKEN_NOT_FOUND")
        if row["revoked_at"] is None:
            await work.connection.execute(sql("token_revoke"), self.token_id, work.now)
            gone = {"name": row["name"], "role": row["role"]}
            await write_audit(work, "token.revoked", "token", self.token_id, environment=None, before=gone)
        return self.token_id
