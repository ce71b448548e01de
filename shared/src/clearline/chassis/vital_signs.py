"""Whether a Kafka client is one that only a new client mends; decided from what was observed, without asking anyone.

aiokafka mends itself after almost everything. What it does not (a task of its own that ended, a fetch that never comes
back, a membership that nobody renews) makes no error: records wait, nothing moves, and all looks as on a quiet night.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clearline.chassis.consumption import Partition

COMMIT_SESSIONS = 3
"""Commits that have failed for so many sessions mean a membership that does not mend itself."""
HEART_SESSIONS = 2
"""One until the broker gives the partitions away, one for the client to notice and join anew by itself."""
FETCH_SESSIONS = 3
UNASSIGNED_SECONDS = 60.0
"""Twice the 30 s that a rebalance may take."""
POLL_SECONDS = 60.0
"""aiokafka may block a poll for six seconds in a rebalance."""


class Ailment(StrEnum):
    """What a client suffers from; a bounded label of `clearline_consumer_renewals_total`."""

    CLIENT_ENDED = "client_ended"
    """A background task of the client has ended: it fetches or coordinates no more."""
    NO_HEARTBEAT = "no_heartbeat"
    """Its heart has stopped: it goes on consuming what is another member's by now."""
    NO_COMMIT = "no_commit"
    NO_ASSIGNMENT = "no_assignment"
    NO_POLL = "no_poll"
    NOTHING_FETCHED = "nothing_fetched"
    """The broker has records, the client asks for them and gets none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """One look at a member. Ages are seconds."""

    session: float
    client_runs: bool
    heart_stopped_for: float
    unassigned_for: float
    """0 while it has an assignment, be it an empty one."""
    commit_age: float
    """0 for a member that has nothing to commit."""
    poll_age: float
    """0 while a handler keeps the poll loop, which is no fault of the client."""
    unfetched_for: float


def ailment_of(signs: Signs) -> Ailment | None:
    """What a new client would mend, the surest sign first."""
    session = signs.session
    found = (
        (Ailment.CLIENT_ENDED, not signs.client_runs),
        (Ailment.NO_HEARTBEAT, signs.heart_stopped_for > HEART_SESSIONS * session),
        (Ailment.NO_COMMIT, signs.commit_age > COMMIT_SESSIONS * session),
        (Ailment.NOTHING_FETCHED, signs.unfetched_for > FETCH_SESSIONS * session),
        (Ailment.NO_ASSIGNMENT, signs.unassigned_for > max(UNASSIGNED_SECONDS, COMMIT_SESSIONS * session)),
        (Ailment.NO_POLL, signs.poll_age > POLL_SECONDS),
    )
    return next((ailment for ailment, suffers in found if suffers), None)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one partition was read, and how far it could be."""

    position: int
    end: int


class Unfetched:
    """Since when partitions that the broker has records of have not been read any further."""

    def __init__(self) -> None:
        self._stuck: dict[Partition, tuple[int, float]] = {}

    def look(self, reaches: Mapping[Partition, Reach], now: float) -> None:
        """Note what stands still. A partition that is not told of (paused, given away) is forgotten."""
        before, self._stuck = self._stuck, {}
        for partition, reach in reaches.items():
            if reach.position < reach.end:
                position, since = before.get(partition, (reach.position, now))
                self._stuck[partition] = (reach.position, since if position == reach.position else now)

    def seconds(self, now: float) -> float:
        """How long the longest has stood still; 0 if all move."""
        return max((now - since for _, since in self._stuck.values()), default=0.0)
