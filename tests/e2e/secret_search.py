"""Looks for a secret in everything the stack has written down, in every spelling it may have taken on the way."""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient


@dataclass(frozen=True)
class Place:
    """Somewhere bytes were found: a topic's record, a table, a log file, a metrics page."""

    kind: str
    name: str
    content: bytes


def spellings(secret: str) -> Mapping[str, bytes]:
    """Plain, base64 (three alignments, both alphabets), hex, URL- and JSON-escaped."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": quote(secret, safe="").encode(),
        "form": quote_plus(secret).encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "json-utf8": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "json-twice": json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
    }
    for shift in range(3):
        # The encoding of a substring depends on its offset modulo 3; only the characters that it alone decides count.
        padded = base64.b64encode(b"\0" * shift + raw)
        skip = (0, 2, 3)[shift]
        whole = (shift + len(raw)) // 3 * 4
        found[f"base64+{shift}"] = padded[skip:whole]
        found[f"base64url+{shift}"] = padded[skip:whole].translate(bytes.maketrans(b"+/", b"-_"))
    return found


def sightings(secret: str, places: Iterable[Place]) -> list[str]:
    """Where the secret stands and in which spelling, for example `topic clearline.connections: base64+1`."""
    wanted = spellings(secret)
    return [
        f"{place.kind} {place.name}: {spelling}"
        for place in places
        for spelling, text in wanted.items()
        if text in place.content
    ]


async def topic_records(bootstrap: str) -> AsyncIterator[Place]:
    """Every record of every topic that is not Kafka's own, with key and headers, up to the end offset taken now."""
    partitions = await _partitions(bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        waiting = {partition for partition in partitions if ends[partition] > 0}
        while waiting:
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    parts = [record.key or b"", record.value or b""]
                    parts += [name.encode() + b"=" + (value or b"") for name, value in record.headers]
                    yield Place("topic", partition.topic, b"\n".join(parts))
            waiting = {partition for partition in waiting if await consumer.position(partition) < ends[partition]}
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if not name.startswith("__")]
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics(names)
            for partition in topic["partitions"]
        ]
    finally:
        await admin.close()


_COLUMNS = """
select quote_ident(attname), atttypid::regtype::text from pg_attribute
where attrelid = $1::regclass and attnum > 0 and not attisdropped
"""


async def table_rows(owner_dsn: str) -> AsyncIterator[Place]:
    """Every row of every table, as text, read by the owner so that no policy hides any."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        tables = await connection.fetch("select quote_ident(tablename) from pg_tables where schemaname = 'public'")
        for (table,) in tables:
            columns = await connection.fetch(_COLUMNS, table)
            # Column by column: the text of a whole row has quotes and backslashes doubled.
            texts = ", ".join(
                f"convert_from({column}, 'SQL_ASCII')" if kind == "bytea" and table == "outbox" else f"{column}::text"
                for column, kind in columns
            )
            rows = await connection.fetch(f"select {texts} from {table}")  # noqa: S608 - names from the catalogue
            yield Place("table", table.strip('"'), "\n".join(str(value) for row in rows for value in row).encode())
    finally:
        await connection.close()


def files_below(folder: Path, kind: str) -> Iterable[Place]:
    """Every file below a folder, such as the logs."""
    return [Place(kind, path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


def pages(urls: Iterable[str], kind: str, headers: Mapping[str, str] | None = None) -> Iterable[Place]:
    """Bodies and headers of the given pages."""
    with httpx2.Client(timeout=10, trust_env=False, headers=dict(headers or {})) as client:
        answers = [(url, client.get(url)) for url in urls]
        return [Place(kind, url, answer.content + str(answer.headers).encode()) for url, answer in answers]
