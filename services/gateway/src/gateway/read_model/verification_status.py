"""Expiry is the reader's comparison with its clock, in one place; `verification_status()` in SQL says the same."""

from datetime import datetime


def status_at(outcome: str, expires_at: datetime | None, now: datetime) -> str:
    """What a verification's row is worth at `now`: its outcome, or `expired`."""
    if outcome == "verified" and expires_at is not None and expires_at <= now:
        return "expired"
    return outcome
