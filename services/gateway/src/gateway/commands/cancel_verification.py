"""Ends a running verification of a saved connection; its row ends when the verifier answers, as always."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.commands.record import write_audit
from gateway.commands.rows import lock_profile
from gateway.commands.verification import cancel
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelVerification:
    """Nobody waits for it any more."""

    connection_id: UUID
    verification_id: UUID

    async def run(self, work: Work) -> UUID:
        """Its id, also where it has ended already. Raises CONNECTION_NOT_FOUND or VERIFICATION_NOT_FOUND."""
        profile = await lock_profile(work, self.connection_id)
        row = await work.connection.fetchrow(sql("verification_by_id"), profile.id, self.verification_id)
        if row is None:
            raise ClearlineError("VERIFICATION_NOT_FOUND")
        if row["outcome"] == "pending":
            await cancel(work, self.verification_id, profile.id)
            await write_audit(
                work,
                "connection.verification_cancelled",
                "connection",
                profile.id,
                environment=profile.environment,
                after={"revision": row["revision"], "verification_id": str(self.verification_id)},
            )
        return self.verification_id
