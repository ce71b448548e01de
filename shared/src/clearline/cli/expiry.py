"""`--expires`, `--since`, `--until`: a duration from now, or a time."""

import re
from datetime import datetime, timedelta

from clearline.cli.ends import WrongUseError

_DURATION = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def expiry(text: str, now: datetime) -> datetime:
    """The moment that `30d`, `12h` or `2027-01-31T00:00:00Z` names; it must lie ahead and say its offset."""
    length = span(text)
    when = _time(text) if length is None else now + length
    if when <= now:
        raise WrongUseError("--expires lies in the past.")
    return when


def ago(text: str, now: datetime, option: str) -> datetime:
    """The moment that `7d` before now, `12h` or a time names."""
    length = span(text)
    return _time(text, option) if length is None else now - length


def span(text: str) -> timedelta | None:
    """The length of time that `30d` or `12h` names; None for what is none."""
    match = _DURATION.fullmatch(text.strip())
    return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))}) if match else None


def _time(text: str, option: str = "--expires") -> datetime:
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise WrongUseError(f"{option} wants a duration (30m, 12h, 30d, 8w) or a time such as 2027-01-31T00:00:00Z.")
    return when
