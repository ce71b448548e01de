"""How far this machine's clock is from the gateway's, as surely as HTTP's Date header can tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TOLERATED_SECONDS = 1.0
DATE_RESOLUTION_SECONDS = 2.0
"""Date carries whole seconds, and servers renew the text once a second."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One answer: when it was asked for, what the gateway's clock said, when it was there."""

    sent: datetime
    date: datetime
    received: datetime


def sighting(sent: datetime, date: str, received: datetime) -> Sighting | None:
    """None where the header is missing or no date."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    return Sighting(sent, told if told.tzinfo else told.replace(tzinfo=UTC), received)


def certain_skew(sightings: Iterable[Sighting]) -> float | None:
    """Least seconds by which the gateway's clock is surely ahead (negative: behind); 0 where they may agree.

    Each sighting bounds the difference from both sides, by the resolution and the time on the way; together they
    bound it tighter. None without sightings.
    """
    bounds = [
        (
            (one.date - one.received).total_seconds(),
            (one.date - one.sent).total_seconds() + DATE_RESOLUTION_SECONDS,
        )
        for one in sightings
    ]
    if not bounds:
        return None
    low, high = max(low for low, _ in bounds), min(high for _, high in bounds)
    if low > 0:
        return low
    return high if high < 0 else 0.0
