"""Too many dead letters at once mean that we are wrong, not the records: a consumer stops rather than empty a topic."""

from collections import deque

WINDOW = 1_000
LIMIT = 200
"""20 % of the window. Counted from the first record, so that a consumer which fails at once stops after 201."""


class TooManyDead(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """More than 20 % of the last 1,000 records went to the dead letters; a person has to look."""


class DeathRate:
    """Dead letters among the last 1,000 records of one consumer."""

    def __init__(self, *, alarm_only: bool) -> None:
        self._alarm_only = alarm_only
        self._dead_at: deque[int] = deque()
        self._seen = 0

    def alive(self, count: int) -> None:
        """`count` records were handled."""
        self._seen += count

    def dead(self) -> None:
        """One record is about to be dead-lettered. Raises `TooManyDead` instead of letting the limit be passed."""
        while self._dead_at and self._dead_at[0] <= self._seen - WINDOW:
            self._dead_at.popleft()
        if len(self._dead_at) >= LIMIT and not self._alarm_only:
            raise TooManyDead
        self._seen += 1
        self._dead_at.append(self._seen)
