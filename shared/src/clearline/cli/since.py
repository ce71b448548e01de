"""`--since`: how long ago, or a time."""

import re
from datetime import datetime, timedelta

from clearline.cli.ends import WrongUseError

_DURATION = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(text: str, now: datetime) -> datetime:
    """The moment that `30m`, `12h`, `7d` ago or `2027-01-31T00:00:00Z` names."""
    if match := _DURATION.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise WrongUseError("--since wants a length of time (30m, 12h, 7d, 4w) or a time such as 2027-01-31T00:00:00Z.")
    return when
