"""The request that the verifier works on, complete in itself: for a saved revision, a renewal, or unsaved values."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from clearline.contracts.connection import Envelope, Environment
from clearline.contracts.verification import VerificationRequested, Why
from gateway.commands.profile import Contents, Sealed

DEADLINE = timedelta(minutes=5)
"""After it a request is answered VERIFICATION_OVERDUE without dialling."""


def request_of(
    contents: Contents,
    *,
    verification_id: UUID,
    connection_id: UUID | None,
    revision: int | None,
    environment: Environment,
    kind: str,
    why: Why,
    by: str,
    now: datetime,
) -> VerificationRequested:
    """A request with everything that `contents` hold. `revision` is None for unsaved values."""
    return VerificationRequested(
        verification_id=verification_id,
        connection_id=connection_id,
        revision=revision,
        environment=environment,
        kind=kind,
        config=dict(contents.config),
        envelopes=_envelopes(contents.credentials),
        why=why,
        requested_by=by,
        deadline=now + DEADLINE,
    )


def _envelopes(credentials: Mapping[str, Sealed]) -> dict[str, Envelope]:
    return {
        field: Envelope(key_id=each.key_id, sealed=each.sealed, changed_at=each.changed_at)
        for field, each in credentials.items()
    }
