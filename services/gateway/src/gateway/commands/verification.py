"""Queues the verification of one revision, and stops those whose revision nobody can use any more."""

from typing import Literal
from uuid import UUID

from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.contracts.verification import CANCEL_REQUESTED, REQUESTED, VerificationCancelRequested
from gateway.commands.profile import Contents, Profile
from gateway.commands.record import tell_pages
from gateway.commands.verification_request import request_of
from gateway.commands.work import Work
from gateway.read_model import sql


async def queue_verification(
    work: Work, profile: Profile, revision: int, contents: Contents, why: Literal["created", "edited", "manual"]
) -> UUID:
    """Ask for a verification of a revision that has none pending; returns its id."""
    request = request_of(
        contents,
        verification_id=work.tools.new_id(),
        connection_id=profile.id,
        revision=revision,
        environment=profile.environment,
        kind=profile.kind,
        why=why,
        by=work.by,
        now=work.now,
    )
    await work.connection.execute(
        sql("verification_insert"),
        *(request.verification_id, profile.id, profile.environment, revision, why),
        *(work.caller.correlation_id, work.now, work.by, request.deadline),
    )
    await work.publish(VERIFICATION_REQUESTS, REQUESTED, profile.id, request)
    await tell_pages(work, REQUESTED, profile)
    return request.verification_id


async def cancel_forgotten(work: Work, after: Profile) -> None:
    """Have what is under way for revisions that are kept no more stopped: no answer about them can matter.

    Each row ends when the verifier answers: as cancelled, or as whatever it had found out already.
    """
    rows = await work.connection.fetch(sql("verifications_forgotten"), after.id, sorted(after.kept_revisions))
    for ordinal, row in enumerate(rows):
        await cancel(work, row["id"], after.id, ordinal=ordinal)


async def cancel(work: Work, verification_id: UUID, connection_id: UUID, *, ordinal: int = 0) -> None:
    """Ask the verifier to end one verification of a saved revision now. One that has ended is not touched."""
    request = VerificationCancelRequested(
        verification_id=verification_id, connection_id=connection_id, requested_by=work.by
    )
    await work.publish(VERIFICATION_REQUESTS, CANCEL_REQUESTED, connection_id, request, ordinal=ordinal)
