"""Erases what a retired connection held: config, revisions, evidence, names, unsent events. Its tombstone goes out."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from clearline.contracts.topics import CONNECTIONS
from gateway import outbox
from gateway.commands.record import write_audit
from gateway.commands.rows import lock_profile
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class EraseConnection:
    """Keep of a retired connection only that it was there and what was done to it, without contents."""

    connection_id: UUID

    async def run(self, work: Work) -> UUID:
        """The id, also of one that was erased before. Raises CONNECTION_NOT_RETIRED."""
        profile = await lock_profile(work, self.connection_id)
        if profile.lifecycle != "retired":
            raise ClearlineError("CONNECTION_NOT_RETIRED", connection_id=str(profile.id))
        if await work.connection.fetchval(sql("connection_is_erased"), profile.id):
            return profile.id
        erased = await work.connection.fetchval(sql("connection_erase"), profile.id)
        assert erased, "retired, locked and visible"
        await outbox.append_tombstone(work.connection, CONNECTIONS, str(profile.id))
        await write_audit(work, "connection.erased", "connection", profile.id, environment=profile.environment)
        return profile.id
