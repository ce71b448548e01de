"""Seals what somebody entered, bound to the place it is meant for. The gateway cannot open it again."""

from collections.abc import Mapping

from gateway.commands.profile import Profile, Sealed
from gateway.commands.work import Work


def seal_all(work: Work, profile: Profile, destination: str, fresh: Mapping[str, str]) -> dict[str, Sealed]:
    """Field → envelope for each new secret."""
    sealed = {}
    for field, secret in fresh.items():
        envelope = work.tools.sealer.seal(
            secret, subject=str(profile.id), kind=profile.kind, field=field, destination=destination, now=work.now
        )
        sealed[field] = Sealed(key_id=envelope.key_id, sealed=envelope.sealed, changed_at=envelope.changed_at)
    return sealed
