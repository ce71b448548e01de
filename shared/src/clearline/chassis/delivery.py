"""What can be said about a record after an attempt to publish it."""

from dataclasses import dataclass
from enum import StrEnum

from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from clearline.chassis.cloudevents import Headers, KafkaRecord
from clearline.contracts.topics import Topic

BATCH_OVERHEAD = 61 + 21
"""Bytes of a record batch's header and, at most, of one record's own lengths: Kafka's limit counts them."""
HEADER_OVERHEAD = 10
"""Two varints of at most five bytes."""


class Delivery(StrEnum):
    """What is known about a record after an attempt to publish it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """Never: it is too large, or Kafka refuses it for good."""
    HELD = "held"
    """Not tried: an earlier record of its key was refused."""
    UNKNOWN = "unknown"
    """Kafka is away or did not answer in time; it may have been written. Publish it again."""


class Extent(StrEnum):
    """How much of Kafka an `UNKNOWN` delivery speaks of."""

    BUS = "bus"
    TOPIC = "topic"
    PARTITION = "partition"
    NOTHING = "nothing"
    """It ended with its connection, which was given up for the sake of other records."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """Parts as they came: a dead letter may have no key, a tombstone has no value."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record and the topic it is for."""

    topic: Topic
    record: KafkaRecord | RawRecord


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of one `Outgoing`; `detail` says why where it was not acknowledged."""

    delivery: Delivery
    detail: str = ""
    extent: Extent = Extent.BUS


class PublishError(Exception):
    """An event did not reach Kafka."""


class RecordRefused(PublishError):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Kafka will never take this record: publishing it again does not help."""


class BusUnavailable(PublishError, OSError):  # noqa: N818 - as above; an OSError, so that retry takes it for the world
    """Kafka did not acknowledge in time: publishing it again helps."""


class NotTried(KafkaError):  # type: ignore[misc] # noqa: N818 - aiokafka is untyped; nouns as above
    """A record was not sent, and the connection is as good as before."""


class TopicUnavailable(NotTried):
    """Kafka shows this client no such topic."""


class PartitionUnavailable(NotTried):
    """The partition of this record has no leader."""


class ConnectionReplaced(KafkaError):  # type: ignore[misc] # noqa: N818 - aiokafka is untyped; nouns as above
    """Another record's failure cost the connection that this one was under way on."""


_SIZE = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)


def record_size(record: KafkaRecord | RawRecord) -> int:
    """Bytes that the broker will count against the topic's limit, a few too many rather than too few."""
    headers = sum(len(name.encode()) + len(value) + HEADER_OVERHEAD for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + BATCH_OVERHEAD


def receipt_of(result: object) -> Receipt:
    """The receipt for what a send gave: metadata, or the exception it ended with."""
    if not isinstance(result, BaseException):
        return Receipt(Delivery.ACKNOWLEDGED)
    detail = type(result).__name__
    match result:
        case InvalidTopicError() | MessageSizeTooLargeError() | RecordListTooLargeError() | RecordTooLargeError():
            return Receipt(Delivery.REFUSED, detail)
        case TopicUnavailable() | TopicAuthorizationFailedError():
            return Receipt(Delivery.UNKNOWN, detail, Extent.TOPIC)
        case PartitionUnavailable():
            return Receipt(Delivery.UNKNOWN, detail, Extent.PARTITION)
        case ConnectionReplaced() | ProducerClosed():
            return Receipt(Delivery.UNKNOWN, detail, Extent.NOTHING)
        case _:
            return Receipt(Delivery.UNKNOWN, detail)


def is_size_refusal(receipt: Receipt) -> bool:
    """Whether Kafka itself found the batch too large, which blames no single record yet."""
    return receipt.delivery is Delivery.REFUSED and receipt.detail in {kind.__name__ for kind in _SIZE}
