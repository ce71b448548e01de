"""Dead letters as they are read again: what each says of itself, how it is sent again, and the note that it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clearline.chassis.consumption import Partition
from clearline.chassis.dead_letter import PREFIX, REPLAY_OF
from clearline.chassis.delivery import RawRecord
from clearline.chassis.record import Record

REPLAYED = f"{PREFIX}replayed"
MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record that could not be handled. What a header does not say is empty: anyone may have written it."""

    id: str
    place: Partition
    """Where the letter lies, with `offset`; its origin is below."""
    offset: int
    written_at: datetime
    origin_topic: str
    origin_partition: str
    origin_offset: str
    reason: str
    detail: str
    group: str
    failed_at: str
    key: bytes | None
    size: int
    """Length of the original value, -1 for none."""
    headers: tuple[tuple[str, bytes], ...]
    """The original ones."""
    truncated: bool
    """Only its beginning is here: the whole did not fit. It cannot be sent again."""
    replay_of: str
    """The letter that this one was a replay of, if it was one."""

    def header(self, name: str) -> str:
        """An original header as text."""
        return next((_text(value) for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Replayed:
    """The note that a letter was sent again; it lies on the same topic, for nothing there is ever changed."""

    id: str
    at: str
    by: str


def read(record: Record) -> DeadLetter | Replayed:
    """What a record on the dead letters' topic is."""
    ours = {name: _text(value) for name, value in record.headers if name.startswith(PREFIX)}
    if REPLAYED in ours:
        return Replayed(ours[REPLAYED], ours.get(f"{PREFIX}replayed-at", ""), ours.get(f"{PREFIX}replayed-by", ""))

    def told(name: str) -> str:
        return ours.get(PREFIX + name, "")

    return DeadLetter(
        id=told("dead-letter-id"),
        place=Partition(record.topic, record.partition),
        offset=record.offset,
        written_at=datetime.fromtimestamp(record.timestamp / MS, UTC),
        origin_topic=told("origin-topic"),
        origin_partition=told("origin-partition"),
        origin_offset=told("origin-offset"),
        reason=told("reason"),
        detail=told("detail"),
        group=told("group"),
        failed_at=told("failed-at"),
        key=record.key,
        size=-1 if record.value is None else len(record.value),
        headers=_original(record.headers),
        truncated=bool(told("truncated")),
        replay_of=ours.get(REPLAY_OF, ""),
    )


def again(record: Record, letter_id: str) -> RawRecord:
    """The original record as it came, and a header that says of which dead letter it is a replay."""
    return RawRecord(record.key, record.value, (*_original(record.headers), (REPLAY_OF, letter_id.encode())))


def note(letter: DeadLetter, by: str, now: datetime) -> RawRecord:
    """That `letter` was sent again, under its own key, so that it comes after it."""
    headers = {REPLAYED: letter.id, f"{PREFIX}replayed-at": now.isoformat(), f"{PREFIX}replayed-by": by}
    return RawRecord(letter.key, b"", tuple((name, text.encode(errors="replace")) for name, text in headers.items()))


def _original(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value or b"") for name, value in headers if not name.startswith(PREFIX))


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
