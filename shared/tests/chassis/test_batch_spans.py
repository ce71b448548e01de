"""Spans join what was read before, whatever lies between: gaps of compaction, malformed records, a log that shrank."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from clearline.chassis.batch import BatchConsumer
from clearline.chassis.clock import SystemClock
from clearline.chassis.cloudevents import to_record
from clearline.chassis.consumption import Batch, Partition, Span
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.event import Body, Event, EventType
from clearline.contracts.topics import Topic

PLACE = Partition("t", 0)


class Mark(Body, frozen=True):
    n: int


MARKED = EventType("clearline.test.marked.v1", Mark, "A mark.")
PLAIN = Topic(name="t", purpose="", key="", partitions=1, producers=(), consumers=(), types=(MARKED,))


def record(offset: int) -> Any:
    event = Event(
        id=uuid4(),
        type=MARKED,
        source="/clearline/test",
        subject="s",
        time=datetime.now(UTC),
        key="k",
        data=Mark(n=offset),
        correlation_id="c",
    )
    made = to_record(event)
    parts = {"key": made.key, "value": made.value, "headers": made.headers}
    return SimpleNamespace(topic="t", partition=0, offset=offset, timestamp=0, **parts)


@pytest.mark.parametrize(
    ("topic", "position", "offsets", "span", "lost"),
    [
        (PLAIN, 3, [3, 4], Span(3, 5), 0),
        (replace(PLAIN, cleanup="compact"), 3, [7, 9], Span(3, 10), 0),
        (PLAIN, 3, [7, 8], Span(3, 9), 4),
        (PLAIN, 50, [0, 1], Span(0, 2), 0),
    ],
    ids=["next to it", "compaction left a gap", "retention took some", "the log was lost"],
)
async def test_a_span_begins_at_the_position(
    topic: Topic, position: int, offsets: list[int], span: Span, lost: int
) -> None:
    spans: list[Span] = []

    async def handler(batch: Batch) -> Outcome:
        spans.append(batch.spans[PLACE])
        return Done()

    settings, metrics, clock = KafkaSettings(bootstrap_servers=("h:1",)), Metrics(), SystemClock()
    consumer = BatchConsumer(
        settings=settings,
        topics=[topic],
        group="g",
        handler=handler,
        producer=Producer(settings=settings, metrics=metrics, clock=clock, client_id="t"),
        metrics=metrics,
        clock=clock,
    )
    consumer._begin({PLACE: position})
    await consumer._take({PLACE: [record(offset) for offset in offsets]})
    assert spans == [span]
    assert consumer._marks == {PLACE: span.next}
    found = metrics.registry.get_sample_value("clearline_consumer_lost_records_total", {"topic": "t", "group": "g"})
    assert found == lost
