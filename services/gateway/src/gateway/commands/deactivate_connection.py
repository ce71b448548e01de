"""Takes a connection out of service; what was live may be activated again by its number."""

from dataclasses import dataclass
from uuid import UUID

from clearline.contracts.connection import DEACTIVATED
from gateway.commands.lifecycle import ExpectedVersion, deactivate
from gateway.commands.record import difference, picture, record_change
from gateway.commands.rows import lock_profile
from gateway.commands.verification import cancel_forgotten
from gateway.commands.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivateConnection:
    """Stop relying on a connection, for now."""

    connection_id: UUID
    expected: ExpectedVersion = None

    async def run(self, work: Work) -> UUID:
        """The id, also when it was out of service before."""
        profile = await lock_profile(work, self.connection_id, self.expected)
        after = deactivate(profile)
        if after is not None:
            seen_before, seen_after = difference(picture(profile), picture(after))
            await record_change(
                work,
                after,
                DEACTIVATED,
                action="connection.deactivated",
                seen_before=seen_before,
                seen_after=seen_after,
            )
            await cancel_forgotten(work, after)
        return profile.id
