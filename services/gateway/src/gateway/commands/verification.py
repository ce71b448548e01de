"""Queues the verification of one revision: the row people follow, and the request that the verifier works on."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

from clearline.contracts.connection import Envelope
from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.contracts.verification import (
    CANCEL_REQUESTED,
    REQUESTED,
    VerificationCancelRequested,
    VerificationRequested,
)
from gateway.commands.profile import Contents, Profile
from gateway.commands.record import tell_pages
from gateway.commands.work import Work
from gateway.read_model import sql

DEADLINE = timedelta(minutes=5)
"""After it a request is answered VERIFICATION_OVERDUE without dialling."""


async def queue_verification(
    work: Work, profile: Profile, revision: int, contents: Contents, why: Literal["created", "edited", "manual"]
) -> UUID:
    """Ask for a verification of a revision that has none pending; returns its id."""
    request = VerificationRequested(
        verification_id=work.tools.new_id(),
        connection_id=profile.id,
        revision=revision,
        environment=profile.environment,
        kind=profile.kind,
        config=dict(contents.config),
        envelopes={
            field: Envelope(key_id=each.key_id, sealed=each.sealed, changed_at=each.changed_at)
            for field, each in contents.credentials.items()
        },
        why=why,
        requested_by=work.by,
        deadline=work.now + DEADLINE,
    )
    await work.connection.execute(
        sql("verification_insert"),
        *(request.verification_id, profile.id, profile.environment, revision, why),
        *(work.caller.correlation_id, work.now, work.by, request.deadline),
    )
    await work.publish(VERIFICATION_REQUESTS, REQUESTED, profile.id, request)
    await tell_pages(work, REQUESTED, profile)
    return request.verification_id


async def cancel_pending(work: Work, profile: Profile, revision: int | None = None) -> None:
    """Nobody waits for this revision (None: for any) any more: have what is under way stopped. Its row ends then."""
    rows = await work.connection.fetch(sql("verifications_under_way"), profile.id, revision)
    for ordinal, row in enumerate(rows):
        request = VerificationCancelRequested(verification_id=row["id"], connection_id=profile.id, requested_by=work.by)
        await work.publish(VERIFICATION_REQUESTS, CANCEL_REQUESTED, profile.id, request, ordinal=ordinal)
