"""Places that Kafka does not take from now: a missing or forbidden topic, a key whose partition has no leader.

Their events are left out of the relay's look for a while that doubles; then one look includes them, and what it finds
decides, tried beside the others. So whatever lies first in the outbox, the rest flows. Keys, because order binds only
the events of one key.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0  # a try costs a look for metadata, and nobody else's time
MOST_KEYS = 1000  # of one topic; beyond it the topic itself is left out, and the look stays small

Place = tuple[str, str | None]
"""A topic and a key; without a key it is the whole topic."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when a place is left out, and for how long this time."""

    until: float
    seconds: float


class StuckPlaces:
    """What one relay knows of them. Times are those of a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waits: dict[Place, Wait] = {}

    @property
    def topics(self) -> set[str]:
        """Of which not everything goes."""
        return {topic for topic, _ in self._waits}

    @property
    def places(self) -> Collection[Place]:
        """All of them, whether they wait now or may be tried."""
        return self._waits.keys()

    def left_out(self, under_way: AbstractSet[Place] = frozenset()) -> tuple[list[str], list[str], list[str]]:
        """Topics to leave out, `under_way` or stuck; and keys to leave out: the topic of each, and each."""
        if not self._waits and not under_way:
            return [], [], []
        now = self._now()
        places = under_way | {place for place, wait in self._waits.items() if now < wait.until}
        keys = [(topic, key) for topic, key in places if key is not None]
        topics = [topic for topic, key in places if key is None]
        return topics, [topic for topic, _ in keys], [key for _, key in keys]

    def note(self, stuck: Collection[Place], taken: Iterable[Place]) -> None:
        """Learn from one batch. What was taken is free, and so is what nobody has asked for in a long time."""
        for place in taken:
            self._waits.pop(place, None)
        if stuck or self._waits:
            self._wait_for(stuck, self._now())

    def forget(self) -> None:
        """Kafka was away and is back, or another relay leads: nothing is known."""
        self._waits.clear()

    def _wait_for(self, stuck: Collection[Place], now: float) -> None:
        for place in stuck:
            known = self._waits.get(place)
            seconds = min(known.seconds * 2, LONGEST_SECONDS) if known else FIRST_SECONDS
            self._waits[place] = Wait(now + seconds, seconds)
        self._waits = {place: wait for place, wait in self._waits.items() if now < wait.until + 2 * LONGEST_SECONDS}
        self._sum_up()

    def _sum_up(self) -> None:
        for topic, keys in _by_topic(self._waits).items():
            if len(keys) > MOST_KEYS:
                waits = [self._waits.pop((topic, key)) for key in keys]
                self._waits[topic, None] = max(waits, key=lambda wait: wait.until)


def _by_topic(places: Mapping[Place, Wait]) -> dict[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for topic, key in places:
        if key is not None:
            found.setdefault(topic, []).append(key)
    return dict(found)
