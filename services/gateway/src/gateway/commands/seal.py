"""Seals what somebody entered, bound to the place it is meant for. The gateway cannot open it again."""

from collections.abc import Mapping
from uuid import UUID

from gateway.commands.profile import Sealed
from gateway.commands.work import Work


def seal_all(work: Work, *, subject: UUID, kind: str, destination: str, fresh: Mapping[str, str]) -> dict[str, Sealed]:
    """Field → envelope for each new secret. `subject` is the connection, or the test that the secret was given to."""
    sealed = {}
    for field, secret in fresh.items():
        envelope = work.tools.sealer.seal(
            secret, subject=str(subject), kind=kind, field=field, destination=destination, now=work.now
        )
        sealed[field] = Sealed(key_id=envelope.key_id, sealed=envelope.sealed, changed_at=envelope.changed_at)
    return sealed
