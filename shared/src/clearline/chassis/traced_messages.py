"""Spans of messages, in OpenTelemetry's words for messaging: created in an outbox, sent, processed.

Those conventions are still in development (1.37), so their names stand here alone.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from msgspec.structs import replace

from clearline.chassis import tracing
from clearline.chassis.consumption import Batch, Received
from clearline.chassis.tracing import Attributes, Part, Span
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic

TRACEPARENT = "traceparent"


@contextmanager
def created(event: Event, topic: Topic) -> Iterator[Event]:
    """The event as it is kept for later sending; it begins a trace if nothing in hand has one."""
    told = _attributes(topic.name, "create", key=event.key, message_id=str(event.id))
    name = f"create {topic.name}"
    if tracing.current() is not None:
        with tracing.work(name, "producer", told) as span:
            yield replace(event, traceparent=span.traceparent)
        return
    with tracing.beginning(name, "producer", given=None, new_id=lambda: event.id.hex) as span:
        for attribute, value in told.items():
            span.note(attribute, value)
        yield replace(event, traceparent=span.traceparent)


@contextmanager
def sent(event: Event, topic: Topic) -> Iterator[Event]:
    """The event as it goes out, while it does."""
    told = _attributes(topic.name, "send", key=event.key, message_id=str(event.id))
    parent = tracing.current() or event.traceparent
    with tracing.work(f"send {topic.name}", "producer", told, parent=parent) as span:
        yield replace(event, traceparent=span.traceparent) if span.traceparent else event


def relayed(topic: str, traceparent: str | None, key: str) -> Part:
    """One record of a batch that is being sent; what it says of its trace stays as its creator wrote it."""
    return Part(f"send {topic}", traceparent, _attributes(topic, "send", key=key))


def processed(received: Received, group: str) -> Part:
    """One record of a batch that is being handled."""
    traceparent = None if received.event is None else received.event.traceparent
    return Part(f"process {received.partition.topic}", traceparent, _of_record(received, group))


def processing(received: Received, group: str) -> AbstractContextManager[Span]:
    """One record while its handler has it."""
    part = processed(received, group)
    return tracing.work(part.name, "consumer", part.attributes, parent=part.parent)


def exemplar(batch: Batch, topic: str) -> dict[str, str] | None:
    """A trace that a batch belongs to and that is recorded here: which one does not matter, all took as long."""
    events = (read.event for read in batch.records if read.partition.topic == topic)
    traces = (event.traceparent for event in events if event is not None)
    return tracing.exemplar_of(next(filter(tracing.is_recorded, traces), None))


def _of_record(received: Received, group: str) -> Attributes:
    place, event = received.partition, received.event
    told = _attributes(place.topic, "process", key=received.key, message_id=str(event.id) if event else "")
    return {
        **told,
        "messaging.consumer.group.name": group,
        "messaging.destination.partition.id": str(place.number),
        "messaging.kafka.offset": received.offset,
        "clearline.event.type": event.type.name if event else "tombstone",
    }


def _attributes(topic: str, operation: str, *, key: str, message_id: str = "") -> dict[str, tracing.Value]:
    told: dict[str, tracing.Value] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.kafka.message.key": key,
    }
    return {**told, "messaging.message.id": message_id} if message_id else told
