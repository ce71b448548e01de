"""The effects of what Kafka said: rows go or are parked, and what does not go is told once, in logs and in metrics."""

from collections import Counter
from collections.abc import Mapping

import structlog

from clearline.contracts.topics import Topic
from gateway.metrics import GatewayMetrics
from gateway.read_model import sql
from gateway.read_model.pools import Connection
from gateway.relay_batch import Settled
from gateway.relay_stuck import StuckPlaces

_log = structlog.get_logger(__name__)


class Settling:
    """Of one relay; it teaches `stuck` what is stuck."""

    def __init__(self, stuck: StuckPlaces, metrics: GatewayMetrics, topics: Mapping[str, Topic]) -> None:
        self._stuck = stuck
        self._metrics = metrics
        self._topics = topics
        self._kafka_was_away = False

    async def write(self, connection: Connection, settled: Settled) -> None:
        """Delete what was acknowledged, park what never goes, and learn what is stuck."""
        if settled.park:
            ids, reasons = zip(*settled.park, strict=True)
            await connection.execute(sql("outbox_park"), ids, reasons)
            for row_id, why in settled.park:
                _log.error("Kafka refused an event for good; its key's later events wait behind it", id=row_id, why=why)
        if settled.delete:
            await connection.execute(sql("outbox_delete"), [row.id for row in settled.delete])
            for topic, count in Counter(row.outgoing.topic.name for row in settled.delete).items():
                self._metrics.relayed.labels(self._label(topic)).inc(count)
        before = self._stuck.topics
        self._tell_about_kafka(settled)
        self._tell_about_topics(settled, before)

    def forget(self) -> None:
        """Another relay leads: this one knows nothing any more."""
        self._stuck.forget()
        self._metrics.relay_stuck.clear()

    def _tell_about_kafka(self, settled: Settled) -> None:
        if settled.kafka_is_away is not None and not self._kafka_was_away:
            _log.warning("Kafka is away; events wait in the outbox", error=settled.kafka_is_away)
            self._kafka_was_away = True
        elif settled.taken and self._kafka_was_away:
            _log.info("Kafka is back")
            self._kafka_was_away = False
            self._stuck.forget()

    def _tell_about_topics(self, settled: Settled, before: set[str]) -> None:
        self._stuck.note(settled.stuck, settled.taken)
        why = {topic: reason for (topic, _), reason in settled.stuck.items()}
        for topic in sorted(self._stuck.topics - before):
            _log.warning("Kafka takes not every event of a topic; those wait, others go", topic=topic, error=why[topic])
        for topic in sorted(before - self._stuck.topics):
            _log.info("Kafka takes every event of a topic again", topic=topic)
        for topic in self._stuck.topics ^ before:
            self._metrics.relay_stuck.labels(self._label(topic)).set(topic in self._stuck.topics)

    def _label(self, topic: str) -> str:
        """A row may name a topic that only a newer version knows; labels stay bounded."""
        return topic if topic in self._topics else "unknown"
