"""Pure decisions about a connection's life: each takes the state and returns the next one, or says why not.

`None` instead of a new state means that everything is as asked already: no event, no audit, the same ETag.
"""

from dataclasses import replace
from datetime import UTC, datetime

from clearline.catalogue import ClearlineError
from gateway.commands.profile import Profile, Proof

ExpectedVersion = frozenset[str] | None
"""The versions that the caller would change; None is any (`If-Match: *`, or no precondition)."""


def revision_to_activate(profile: Profile, wanted: int | None) -> int | None:
    """The number to activate: the newest, or the last live one by name. None if it is live already."""
    refuse_retired(profile)
    number = known_revision(profile, wanted)
    return None if profile.lifecycle == "active" and profile.live_revision == number else number


def activate(profile: Profile, revision: int, proof: Proof | None, now: datetime) -> Profile:
    """`revision` goes live if its newest finished verification is an unexpired success (rule 1)."""
    status = "missing" if proof is None else proof.status(now)
    if proof is None or status != "verified":
        raise ClearlineError(
            "CONNECTION_NOT_VERIFIED",
            connection_id=str(profile.id),
            proof=_what_is_missing(revision, proof, status),
            revision=revision,
            verification_status=status,
        )
    replaced = profile.live_revision if profile.live_revision is not None else profile.last_live_revision
    return replace(
        profile,
        lifecycle="active",
        live_revision=revision,
        live_verification_id=proof.verification_id,
        last_live_revision=None if replaced == revision else replaced,
        sequence=profile.sequence + 1,
    )


def _what_is_missing(revision: int, proof: Proof | None, status: str) -> str:
    if proof is None:
        return f"no verification of revision {revision} has ended yet"
    if status == "expired" and proof.expires_at is not None:
        return f"the proof of revision {revision} expired on {proof.expires_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"the newest verification of revision {revision} ended as {status}"


def deactivate(profile: Profile) -> Profile | None:
    """Out of service; the revision that was live may be named again."""
    refuse_retired(profile)
    if profile.lifecycle == "inactive":
        return None
    return replace(
        profile,
        lifecycle="inactive",
        live_revision=None,
        live_verification_id=None,
        last_live_revision=profile.live_revision,
        sequence=profile.sequence + 1,
    )


def discard_staged(profile: Profile) -> Profile:
    """Back to the live revision; the staged one stays in history as discarded."""
    refuse_retired(profile)
    if profile.staged_revision is None or profile.live_revision is None:
        raise ClearlineError("NOTHING_STAGED", connection_id=str(profile.id))
    last_live = None if profile.last_live_revision == profile.revision else profile.last_live_revision
    return replace(profile, revision=profile.live_revision, last_live_revision=last_live, sequence=profile.sequence + 1)


def retire(profile: Profile) -> Profile:
    """Gone for good: its name is free, its credentials go at once."""
    refuse_retired(profile)
    return replace(
        profile,
        lifecycle="retired",
        live_revision=None,
        live_verification_id=None,
        last_live_revision=None,
        sequence=profile.sequence + 1,
    )


def revision_to_verify(profile: Profile, wanted: int | None) -> int:
    """The number to verify: only revisions whose credentials are kept can be."""
    refuse_retired(profile)
    return known_revision(profile, wanted)


def known_revision(profile: Profile, wanted: int | None) -> int:
    """`wanted` if its credentials are kept, by default the newest."""
    if wanted is None:
        return profile.revision
    if wanted not in profile.kept_revisions:
        raise ClearlineError("REVISION_NOT_FOUND", connection_id=str(profile.id), revision=wanted)
    return wanted


def check_version(profile: Profile, expected: ExpectedVersion) -> None:
    """An edit names the version that it was made from; a stale one would overwrite what somebody else did."""
    if expected is not None and str(profile.sequence) not in expected:
        raise ClearlineError(
            "CONNECTION_CHANGED",
            pointer="/header/if-match",
            connection_id=str(profile.id),
            version=profile.sequence,
            given=", ".join(sorted(expected)) or "none",
        )


def refuse_retired(profile: Profile) -> None:
    if profile.lifecycle == "retired":
        raise ClearlineError("CONNECTION_RETIRED", connection_id=str(profile.id))
