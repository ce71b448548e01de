"""Asks for a verification by hand; one that is pending for the same revision is the answer already."""

from dataclasses import dataclass
from uuid import UUID

from gateway.commands.lifecycle import revision_to_verify
from gateway.commands.record import write_audit
from gateway.commands.rows import load_contents, lock_profile
from gateway.commands.verification import queue_verification
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class Requested:
    """What to follow: the verification, and the correlation id that its events and logs carry."""

    connection_id: UUID
    verification_id: UUID
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestVerification:
    """Prove a revision, by default the newest."""

    connection_id: UUID
    revision: int | None = None

    async def run(self, work: Work) -> Requested:
        """The verification that will tell. Raises CONNECTION_RETIRED or REVISION_NOT_FOUND."""
        profile = await lock_profile(work, self.connection_id)
        revision = revision_to_verify(profile, self.revision)
        pending = await work.connection.fetchrow(sql("verification_pending"), profile.id, revision)
        if pending is not None:
            return Requested(profile.id, pending["id"], pending["correlation_id"])
        contents = await load_contents(work, profile, revision)
        verification_id = await queue_verification(work, profile, revision, contents, "manual")
        asked = {"revision": revision, "verification_id": str(verification_id)}
        await write_audit(
            work,
            "connection.verification_requested",
            "connection",
            profile.id,
            environment=profile.environment,
            after=asked,
        )
        return Requested(profile.id, verification_id, work.caller.correlation_id)
