"""Where records go that could not be handled: original bytes, origin and reason in headers; never dropped."""

import random

import structlog

from clearline.chassis import correlation
from clearline.chassis.clock import Clock
from clearline.chassis.delivery import BusUnavailable, RawRecord, RecordRefused, record_size
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead
from clearline.chassis.producer import Producer
from clearline.chassis.record import Record
from clearline.chassis.retry import WORLD
from clearline.contracts.ids import dead_letter_id
from clearline.contracts.topics import Topic

PREFIX = "clearline-"
REPLAY_OF = f"{PREFIX}replay-of"
"""On a record that was sent again: the dead letter it came from. It stays on the letter if that dies too."""
MAX_DETAIL = 1_000
MAX_CORRELATION = 64

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class DeadLetters:
    """Writes dead letters of one consumer group."""

    def __init__(self, producer: Producer, topic: Topic, group: str, metrics: Metrics, clock: Clock) -> None:
        self._producer = producer
        self._topic = topic
        self._group = group
        self._metrics = metrics
        self._clock = clock

    async def write(self, record: Record, dead: Dead) -> None:
        """Return when Kafka has it; while Kafka is away, wait and try again."""
        with correlation.bound(_correlation_id_of(record)):
            await self._write(record, dead)

    async def _write(self, record: Record, dead: Dead) -> None:
        letter = fitted(self._letter(record, dead), self._topic.max_bytes)
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._producer.publish_encoded(letter, self._topic)
                break
            except (BusUnavailable, RecordRefused) as error:
                if attempt == 1:
                    _LOG.error(
                        "a dead letter cannot be written; trying until it can", group=self._group, why=str(error)
                    )
                await self._clock.sleep(WORLD.wait(attempt, random.random))
        self._metrics.dead_letters.labels(record.topic, dead.reason.value).inc()
        _LOG.warning(
            "dead letter",
            group=self._group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=dead.reason.value,
            detail=dead.detail[:MAX_DETAIL],
        )

    def _letter(self, record: Record, dead: Dead) -> RawRecord:
        added = {
            "dead-letter-id": str(dead_letter_id(record.topic, record.partition, record.offset)),
            "origin-topic": record.topic,
            "origin-partition": str(record.partition),
            "origin-offset": str(record.offset),
            "origin-timestamp": str(record.timestamp),
            "reason": dead.reason.value,
            "detail": dead.detail[:MAX_DETAIL],
            "group": self._group,
            "failed-at": self._clock.now().isoformat(),
        }
        kept = tuple(
            (name, value or b"") for name, value in record.headers if name == REPLAY_OF or not name.startswith(PREFIX)
        )
        ours = tuple((PREFIX + name, text.encode(errors="replace")) for name, text in added.items())
        return RawRecord(record.key, record.value, kept + ours)


def _correlation_id_of(record: Record) -> str | None:
    """What its log lines are found by; whoever wrote the record may have written anything."""
    raw = next((value for name, value in record.headers if name == "ce_correlationid"), None)
    return raw[:MAX_CORRELATION].decode(errors="replace") if raw else None


def fitted(letter: RawRecord, limit: int) -> RawRecord:
    """`letter`, cut where it would pass `limit`: one that cannot be written would stop its partition for ever.

    What is cut is told in `clearline-truncated`; the whole stays at its origin as long as that topic keeps it.
    """
    size = record_size(letter)
    if size <= limit:
        return letter
    told = (f"{PREFIX}truncated", str(len(letter.value or b"")).encode())
    ours = tuple(header for header in letter.headers if header[0].startswith(PREFIX))
    bare = RawRecord(letter.key, b"", (*letter.headers, told))
    if record_size(bare) > limit:
        bare = RawRecord((letter.key or b"")[:1024], b"", (*ours, told))
    return RawRecord(bare.key, (letter.value or b"")[: limit - record_size(bare)], bare.headers)
