"""Reads what lies in Postgres and Kafka, for the ledger to be compared with."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.faults.ledger import Truth, Verification

from clearline.contracts.topics import CONNECTIONS, DEAD_LETTERS, Topic

_VERIFICATIONS = """
select v.connection_id::text, v.outcome,
       (select count(*) from jsonb_object_keys(v.steps)) as steps,
       (select count(*) from changes c where c.connection_id = v.connection_id
          and c.type in ('connection.verified', 'connection.verification_failed')) as ends_told,
       (select count(*) from changes c where c.connection_id = v.connection_id
          and c.type = 'connection.verification_progressed') as steps_told
from verifications v
"""
_UNSETTLED = "select (select count(*) from verifications where outcome = 'pending') + (select count(*) from outbox)"


async def unsettled(dsn: str) -> int:
    """What is still under way: pending verifications and events in the outbox."""
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval(_UNSETTLED)
        return count
    finally:
        await connection.close()


async def read_truth(dsn: str, bootstrap: str) -> Truth:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("create index if not exists changes_by_connection on changes (connection_id)")
        profiles = await connection.fetch("select id::text, sequence, owner from service_connection_profiles")
        audited = await connection.fetch(
            "select object_id, count(*) as entries from audit where object_type = 'connection' group by object_id"
        )
        verifications = await connection.fetch(_VERIFICATIONS)
        waiting = await connection.fetchval("select count(*) from outbox")
    finally:
        await connection.close()
    return Truth(
        rows={row["id"]: (row["sequence"], row["owner"]) for row in profiles},
        audited={row["object_id"]: row["entries"] for row in audited},
        verifications=[Verification(*row) for row in verifications],
        on_bus=await _states(bootstrap),
        waiting=waiting,
        dead=len(await records(bootstrap, DEAD_LETTERS)),
    )


async def _states(bootstrap: str) -> Mapping[str, Sequence[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for key, value, headers in await records(bootstrap, CONNECTIONS):
        found[key].append((int(headers["ce_sequence"]), json.loads(value)["owner"]))
    return found


async def how_many(bootstrap: str, topic: Topic) -> int:
    """Records on a topic that nothing is deleted from, without reading them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic.name, number) for number in range(topic.partitions)])
        return int(sum(ends.values()))
    finally:
        await consumer.stop()


async def records(bootstrap: str, topic: Topic) -> list[tuple[str, bytes, dict[str, bytes]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(places)
        behind = await consumer.end_offsets(places)
        found = []
        while behind:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [((record.key or b"").decode(), record.value, dict(record.headers)) for record in records]
            behind = {place: end for place, end in behind.items() if await consumer.position(place) < end}
        return found
    finally:
        await consumer.stop()
