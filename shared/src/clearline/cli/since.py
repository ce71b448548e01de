"""`--since`: how long ago, or a time."""

from datetime import datetime

from clearline.cli.ends import WrongUseError
from clearline.cli.expiry import span


def since(text: str, now: datetime) -> datetime:
    """The moment that `30m`, `12h`, `7d` ago or `2027-01-31T00:00:00Z` names."""
    if (length := span(text)) is not None:
        return now - length
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise WrongUseError("--since wants a length of time (30m, 12h, 7d, 4w) or a time such as 2027-01-31T00:00:00Z.")
    return when
