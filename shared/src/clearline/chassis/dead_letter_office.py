"""Reads the dead letters and sends them to their topics again: what `clearline dead-letters` does with Kafka."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

from clearline.chassis import letters
from clearline.chassis.clock import Clock
from clearline.chassis.delivery import RecordRefused
from clearline.chassis.letters import DeadLetter, Replayed
from clearline.chassis.producer import Producer
from clearline.chassis.record import Record
from clearline.chassis.scan import Scan, scanning
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import DEAD_LETTERS, TOPICS, Topic


class NotReplayed(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """A letter that cannot be sent again, and why."""


@dataclass(frozen=True, slots=True)
class Found:
    """Letters that were asked for, oldest first, and what has become of them."""

    letters: Sequence[DeadLetter]
    matching: int
    """How many there are; more than `letters` holds where the limit cut."""
    left_out: int
    """How many more there are that were sent again, where those were not asked for."""
    replayed: Mapping[str, Replayed]


@dataclass(slots=True)
class _Chosen:
    """Keeps as many letters as wanted, and one of each: a letter is written twice when its consumer was killed."""

    limit: int
    oldest: bool
    seen: set[str] = field(default_factory=set)
    matching: int = 0
    heap: list[tuple[float, int, int, DeadLetter]] = field(default_factory=list)

    def is_new(self, letter: DeadLetter) -> bool:
        """Whether no copy of it was seen."""
        new = not letter.id or letter.id not in self.seen
        self.seen.add(letter.id)
        return new

    def take(self, letter: DeadLetter) -> None:
        self.matching += 1
        sign = -1 if self.oldest else 1
        entry = (sign * letter.written_at.timestamp(), sign * letter.place.number, sign * letter.offset, letter)
        if len(self.heap) < self.limit:
            heappush(self.heap, entry)
        else:
            heappushpop(self.heap, entry)

    def letters(self) -> list[DeadLetter]:
        """Oldest first."""
        return [entry[-1] for entry in sorted(self.heap, reverse=self.oldest)]


class DeadLetterOffice:
    """One visit to the dead letters. `settings` are those of whoever asks: Kafka's own rules say what he may."""

    def __init__(
        self,
        settings: KafkaSettings,
        clock: Clock,
        *,
        dead_letters: Topic = DEAD_LETTERS,
        topics: Sequence[Topic] = TOPICS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._dead_letters = dead_letters
        self._topics = {topic.name: topic for topic in topics if topic is not dead_letters}

    async def find(
        self,
        wanted: Callable[[DeadLetter], bool],
        *,
        limit: int,
        since_ms: int | None = None,
        oldest: bool = False,
        sent_again: bool = True,
    ) -> Found:
        """At most `limit` letters that are `wanted`, the newest or the `oldest`, with or without those `sent_again`.

        Reads the topic from `since_ms` on, twice: what was sent again must be known before a limit cuts. Keeps no
        contents.
        """
        replayed = {note.id: note async for note in self._read(since_ms) if isinstance(note, Replayed)}
        chosen, left_out = _Chosen(limit, oldest), 0
        async for letter in self._read(since_ms):
            if isinstance(letter, Replayed) or not wanted(letter) or not chosen.is_new(letter):
                continue
            if sent_again or letter.id not in replayed:
                chosen.take(letter)
            else:
                left_out += 1
        return Found(chosen.letters(), chosen.matching, left_out, replayed)

    async def _read(self, since_ms: int | None) -> AsyncIterator[DeadLetter | Replayed]:
        async with scanning(self._settings, [self._dead_letters.name], since_ms=since_ms) as scan:
            async for batch in scan.batches():
                for record in (record for records in batch.values() for record in records):
                    yield letters.read(record)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Scan]:
        """For the contents of single letters: `record_of`."""
        async with scanning(self._settings, [self._dead_letters.name]) as scan:
            yield scan

    @staticmethod
    async def record_of(scan: Scan, letter: DeadLetter) -> Record:
        """The letter with its contents. Raises `NotReplayed` where retention took it meanwhile."""
        record = await scan.one(letter.place, letter.offset)
        if record is None:
            raise NotReplayed("it is not there any more: its thirty days are over")
        return record

    def check(self, letter: DeadLetter) -> Topic:
        """Where it would be sent. Raises `NotReplayed`."""
        topic = self._topics.get(letter.origin_topic)
        if topic is None:
            raise NotReplayed(
                f"its origin, {letter.origin_topic or 'which it does not name'}, is no topic of Clearline's"
            )
        if letter.truncated:
            raise NotReplayed("only its beginning was kept: the whole was larger than a dead letter may be")
        if not letter.id:
            raise NotReplayed("it has no id: it was not written by Clearline")
        return topic

    async def replay(self, scan: Scan, letter: DeadLetter, producer: Producer, by: str) -> None:
        """Send the original again, wait until Kafka has it, and note that on the dead letters.

        Whoever is killed between the two leaves a letter that looks unsent; sending it again changes nothing, because
        consumers know its event by id and sequence. Raises `NotReplayed` and `BusUnavailable`.
        """
        topic, record = self.check(letter), await self.record_of(scan, letter)
        try:
            await producer.publish_encoded(letters.again(record, letter.id), topic)
        except RecordRefused as refused:
            raise NotReplayed(f"Kafka refuses it: {refused}") from None
        await producer.publish_encoded(letters.note(letter, by, self._clock.now()), self._dead_letters)
