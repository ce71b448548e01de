"""Retires a connection for good: its name is free, its credentials go at once, a verification under way is stopped."""

from dataclasses import dataclass
from uuid import UUID

from clearline.contracts.connection import RETIRED
from gateway.commands.lifecycle import ExpectedVersion, retire
from gateway.commands.record import difference, picture, record_change
from gateway.commands.rows import lock_profile
from gateway.commands.verification import cancel_forgotten
from gateway.commands.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireConnection:
    """Say goodbye to a connection."""

    connection_id: UUID
    expected: ExpectedVersion

    async def run(self, work: Work) -> UUID:
        """The id. Raises CONNECTION_RETIRED if it was before."""
        profile = await lock_profile(work, self.connection_id, self.expected)
        after = retire(profile)
        seen_before, seen_after = difference(picture(profile), picture(after))
        await record_change(
            work, after, RETIRED, action="connection.retired", seen_before=seen_before, seen_after=seen_after
        )
        await cancel_forgotten(work, after)
        return profile.id
