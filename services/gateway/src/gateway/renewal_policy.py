"""When the verification of a live revision is renewed: pure decisions about time, spread so that none come together.

A renewal never takes anything away: the success before it holds until it expires, whatever the renewal finds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

EARLIEST, LATEST = 0.75, 0.90
"""Shares of the validity: late enough to be cheap, early enough for retries before it ends."""
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
RETRIES_PER_VALIDITY = 20
"""No pause is longer than this part of the validity, so that a short one is still renewed in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a live revision's verifications have come to: its newest success, and what ended badly after it."""

    proven_at: datetime
    expires_at: datetime
    failures: int = 0
    failed_at: datetime | None = None
    """The last of them."""
    retry_class: str | None = None
    """Of the last that failed; None where all of them were cancelled."""

    @property
    def validity(self) -> timedelta:
        """How long a success holds."""
        return self.expires_at - self.proven_at


def spread(connection_id: UUID) -> float:
    """A connection's own place in [0, 1), the same for ever and in every gateway."""
    return int.from_bytes(sha256(connection_id.bytes).digest()[:6], "big") / 2**48


def renewal_due(connection_id: UUID, standing: Standing) -> datetime:
    """When to verify again.

    Without a failure: at the connection's place between 75 and 90 % of the validity. After one that may pass by itself:
    soon, then ever later. After one that somebody has to mend (config): when it would be due had it succeeded, for
    until somebody acts, which verifies by itself, it only repeats (and locks accounts).
    """
    place = standing.validity * (EARLIEST + (LATEST - EARLIEST) * spread(connection_id))
    if not standing.failures or standing.failed_at is None:
        return standing.proven_at + place
    if standing.retry_class == "config":
        return standing.failed_at + place
    return standing.failed_at + _pause(standing)


def look_again(standing: Standing, now: datetime) -> datetime:
    """When to see what has become of a renewal that was asked for now."""
    return now + min(FIRST_RETRY, _longest(standing))


def _pause(standing: Standing) -> timedelta:
    factor = 1 << min(standing.failures - 1, 16)  # enough to reach the longest from any first one
    return min(min(FIRST_RETRY, _longest(standing)) * factor, _longest(standing))


def _longest(standing: Standing) -> timedelta:
    return min(LONGEST_RETRY, standing.validity / RETRIES_PER_VALIDITY)
