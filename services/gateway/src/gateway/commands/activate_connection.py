"""Puts a proven revision into service (rule 1; the database's constraint is the second line)."""

from dataclasses import dataclass
from uuid import UUID

from clearline.contracts.connection import ACTIVATED
from gateway.commands.lifecycle import ExpectedVersion, activate, revision_to_activate
from gateway.commands.record import difference, picture, record_change
from gateway.commands.rows import lock_profile, newest_proof
from gateway.commands.verification import cancel_forgotten
from gateway.commands.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateConnection:
    """Activate a revision: the newest, or the last live one by its number."""

    connection_id: UUID
    revision: int | None = None
    expected: ExpectedVersion = None

    async def run(self, work: Work) -> UUID:
        """The id. Raises CONNECTION_NOT_VERIFIED, CONNECTION_RETIRED or REVISION_NOT_FOUND."""
        profile = await lock_profile(work, self.connection_id, self.expected)
        revision = revision_to_activate(profile, self.revision)
        if revision is None:
            return profile.id
        after = activate(profile, revision, await newest_proof(work, profile, revision), work.now)
        seen_before, seen_after = difference(picture(profile), picture(after))
        await record_change(
            work, after, ACTIVATED, action="connection.activated", seen_before=seen_before, seen_after=seen_after
        )
        await cancel_forgotten(work, after)
        return profile.id
