"""How far a consumer is and since when: what is due to be committed, how much waits, and whether it still moves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Partition
from clearline.chassis.metrics import Metrics

STALL_SECONDS = 60.0
"""Longer than any verification: a mark that stands still for this long while records wait is stuck."""
MS = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """One owned partition at this moment."""

    mark: int
    """Everything below it is finished."""
    end: int | None
    """One past the newest record known."""
    oldest_ms: int | None
    """Timestamp of the oldest record that was read and is not finished."""

    @property
    def waiting(self) -> int:
        """Records not yet finished. Past the end of the log none is known, and yet something is to be done."""
        return 1 if self.past_the_end else max(0, (self.end or 0) - self.mark)

    @property
    def past_the_end(self) -> bool:
        """Whether the log is shorter than what was done of it: nothing will ever come here until a person looks."""
        return self.end is not None and self.mark > self.end


class Progress:
    """Marks against commits, and the metrics and ages that readiness is told from."""

    def __init__(self, topics: Iterable[str], group: str, metrics: Metrics, clock: Clock, session: float) -> None:
        self._topics = tuple(topics)
        self._group = group
        self._metrics = metrics
        self._clock = clock
        self._affirm_every = session / 3
        self._committed: dict[Partition, int] = {}
        self._waiting_since: dict[Partition, float] = {}
        self._marks: dict[Partition, int] = {}
        self._moved_at = self._polled_at = clock.monotonic()
        self._committed_at: float | None = None
        self._owned_at: float | None = None
        self._lag = 0.0
        self.past_the_end: list[Partition] = []
        """Where the mark lies beyond what the broker has."""

    def begin(self) -> None:
        """Partitions were assigned anew: offsets known from a former ownership would rewind the group."""
        self._committed.clear()
        self._marks = {}
        self._moved_at = self._polled_at = self._owned_at = self._clock.monotonic()
        self._committed_at = None

    def polled(self) -> None:
        """A poll returned."""
        self._polled_at = self._clock.monotonic()

    def due(self, marks: Mapping[Partition, int], *, last: bool = False) -> dict[Partition, int]:
        """What to commit now. Each third of a session one mark goes again: only that shows a lost membership."""
        due = {partition: mark for partition, mark in marks.items() if self._committed.get(partition) != mark}
        if not due and marks and not last and self.commit_age > self._affirm_every:
            partition = next(iter(marks))
            return {partition: marks[partition]}
        return due

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Kafka accepted these."""
        self._committed.update(offsets)
        self._committed_at = self._clock.monotonic()

    @property
    def poll_age(self) -> float:
        """Seconds since a poll returned."""
        return self._clock.monotonic() - self._polled_at

    @property
    def last_commit_age(self) -> float | None:
        """Seconds since Kafka accepted a commit, None before the first under this assignment."""
        return None if self._committed_at is None else self._clock.monotonic() - self._committed_at

    @property
    def commit_age(self) -> float:
        """The same, counted from the assignment before the first; 0 for a member without partitions."""
        if not self._marks:
            return 0.0
        since = self._committed_at if self._committed_at is not None else self._owned_at
        return 0.0 if since is None else self._clock.monotonic() - since

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest unprocessed record of all topics; 0 when nothing waits."""
        return self._lag

    @property
    def stalled(self) -> bool:
        """Whether records wait and no mark has moved for a minute."""
        return self._clock.monotonic() - self._moved_at > STALL_SECONDS

    def observe(self, standings: Mapping[Partition, Standing]) -> None:
        """Set the lag metrics and notice movement."""
        now, wall_ms = self._clock.monotonic(), self._clock.now().timestamp() * MS
        marks = {partition: standing.mark for partition, standing in standings.items()}
        if marks != self._marks or not any(standing.waiting for standing in standings.values()):
            self._moved_at, self._marks = now, marks
        self.past_the_end = sorted(partition for partition, standing in standings.items() if standing.past_the_end)
        self._waiting_since = {each: since for each, since in self._waiting_since.items() if each in standings}
        seconds = dict.fromkeys(self._topics, 0.0)
        records = dict.fromkeys(self._topics, 0)
        for partition, standing in standings.items():
            records[partition.topic] += standing.waiting
            seconds[partition.topic] = max(seconds[partition.topic], self._age(partition, standing, now, wall_ms))
        self._lag = max(seconds.values(), default=0.0)
        for topic in self._topics:
            self._metrics.lag_seconds.labels(topic, self._group).set(seconds[topic])
            self._metrics.lag_records.labels(topic, self._group).set(records[topic])

    def _age(self, partition: Partition, standing: Standing, now: float, wall_ms: float) -> float:
        """Age of the oldest unfinished record; of one not read yet, the time it has been known to wait."""
        if not standing.waiting:
            self._waiting_since.pop(partition, None)
            return 0.0
        known_for = now - self._waiting_since.setdefault(partition, now)
        if standing.oldest_ms is None:
            return known_for
        return max(known_for, (wall_ms - standing.oldest_ms) / MS)
