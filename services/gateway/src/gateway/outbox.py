"""Puts an event beside the change that it tells of, in the same transaction; the relay brings it to Kafka.

The caller has locked its aggregate's row first: so the ids of one key grow in the order of its commits, and the relay,
which goes by id, keeps that order.
"""

from clearline.chassis.cloudevents import to_record
from clearline.chassis.traced_messages import created
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic
from gateway.read_model import sql
from gateway.read_model.pools import Connection


async def append(connection: Connection, topic: Topic, event: Event) -> None:
    """Encode `event` now and keep it for `topic`. Raises ValueError for one that no broker would take."""
    with created(event, topic) as told:
        record = to_record(told)
    if len(record.value) > topic.max_bytes:
        raise ValueError(f"{event.type.name} has {len(record.value)} bytes; {topic.name} takes {topic.max_bytes}")
    headers = [[name, value.decode()] for name, value in record.headers]
    await connection.execute(sql("outbox_append"), topic.name, event.key, headers, record.value)


async def append_tombstone(connection: Connection, topic: Topic, key: str) -> None:
    """Say that `key` is gone for good. Only a compacted topic understands it."""
    assert topic.compacted, f"{topic.name} is not compacted: a tombstone on it is poison"
    await connection.execute(sql("outbox_append"), topic.name, key, [], None)
