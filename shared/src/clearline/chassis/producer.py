"""The one way onto the bus: idempotent, acknowledged by all replicas, never waiting longer than it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clearline.chassis.clock import Clock
from clearline.chassis.cloudevents import KafkaRecord, to_record
from clearline.chassis.metrics import Metrics
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic


class Delivery(StrEnum):
    """What is known about a record after an attempt to publish it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """Never: it is too large, or Kafka refuses it for good."""
    HELD = "held"
    """Not tried: an earlier record of its key was refused."""
    UNKNOWN = "unknown"
    """Kafka is away or did not answer in time; it may have been written. Publish it again."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record and the topic it is for."""

    topic: Topic
    record: KafkaRecord


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of one `Outgoing`; `detail` says why where it was not acknowledged."""

    delivery: Delivery
    detail: str = ""


class PublishError(Exception):
    """An event did not reach Kafka."""


class RecordRefused(PublishError):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Kafka will never take this record: publishing it again does not help."""


class BusUnavailable(PublishError, OSError):  # noqa: N818
    """Kafka did not acknowledge in time: publishing it again helps."""


class Producer:
    """An idempotent producer that rebuilds itself after an error that would otherwise stay for ever."""

    def __init__(self, *, settings: KafkaSettings, metrics: Metrics, clock: Clock, client_id: str) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Connect; raises while no broker answers."""

    async def stop(self, limit: float = 5.0) -> None:
        """Flush for at most `limit` seconds and close. Never raises, never waits longer."""

    async def publish(self, event: Event, topic: Topic) -> None:
        """Publish one event. Raises `RecordRefused` or `BusUnavailable`."""
        await self.publish_encoded(to_record(event), topic)

    async def publish_encoded(self, record: KafkaRecord, topic: Topic) -> None:
        """Publish one encoded record. Raises `RecordRefused` or `BusUnavailable`."""

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        """Publish all, in order per key, and say of each how it ended. Never raises for what Kafka does."""
        raise NotImplementedError
