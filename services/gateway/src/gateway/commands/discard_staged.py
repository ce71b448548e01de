"""Drops the revision that waits beside the live one; it stays in history as discarded."""

from dataclasses import dataclass
from uuid import UUID

from clearline.contracts.connection import CONFIGURED
from gateway.commands.lifecycle import ExpectedVersion, discard_staged
from gateway.commands.record import difference, picture, record_change
from gateway.commands.rows import load_contents, lock_profile
from gateway.commands.verification import cancel_forgotten
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardStaged:
    """Go back to what is live."""

    connection_id: UUID
    expected: ExpectedVersion = None

    async def run(self, work: Work) -> UUID:
        """The id. Raises NOTHING_STAGED."""
        profile = await lock_profile(work, self.connection_id, self.expected)
        after = discard_staged(profile)
        before = await load_contents(work, profile, profile.revision)
        live = await load_contents(work, profile, after.revision)
        await work.connection.execute(sql("revision_discard"), profile.id, profile.revision, work.now)
        seen_before, seen_after = difference(picture(profile, before), picture(after, live))
        await record_change(
            work, after, CONFIGURED, action="connection.discarded", seen_before=seen_before, seen_after=seen_after
        )
        await cancel_forgotten(work, after)
        return profile.id
