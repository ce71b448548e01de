"""Kafka records read into what handlers get, or into the reason why no handler can get them."""

from collections.abc import Iterable

from clearline.chassis.cloudevents import MalformedRecord, decode_key, from_record
from clearline.chassis.consumption import Partition, Received
from clearline.chassis.outcome import Dead
from clearline.chassis.record import Record
from clearline.contracts.topics import Topic


class Reader:
    """Reads the records of a consumer's topics, each with the types its topic declares."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._topics = {topic.name: (topic, {kind.name: kind for kind in topic.types}) for topic in topics}

    def read(self, partition: Partition, record: Record) -> Received | Dead:
        """The record as a handler gets it. Never raises: a bad record costs nobody but itself."""
        topic, types = self._topics[partition.topic]
        try:
            event = from_record(types, topic, record.key, record.value, record.headers)
            key = event.key if event is not None else decode_key(record.key)
        except MalformedRecord as malformed:
            return Dead(malformed.reason, malformed.detail)
        return Received(partition, record.offset, key, event)
