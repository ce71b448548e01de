"""Eight kinds of records that nobody can handle, each made from a good event, and where each has to end."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from clearline.chassis.cloudevents import to_record
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic

FAILING = "failing handler"
MALFORMED = ("bad JSON", "bad UTF-8", "wrong schema", "unknown version", "tombstone", "no key", "oversize")
KINDS = (*MALFORMED, FAILING)
REASONS = {
    "bad JSON": "not_json",
    "bad UTF-8": "not_utf8",
    "wrong schema": "wrong_schema",
    "unknown version": "unknown_type",
    "tombstone": "tombstone",
    "no key": "no_key",
    "oversize": "oversize",
    FAILING: "handler_failed",
}
Origin = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True, slots=True)
class Poison:
    """What was written, and of which kind."""

    kind: str
    value: bytes | None


@dataclass
class Writer:
    """Writes good events and poison as some producer out there might; remembers where each poison lies."""

    plain: AIOKafkaProducer
    packed: AIOKafkaProducer
    written: dict[Origin, Poison] = field(default_factory=dict)
    good: int = 0

    async def write(self, event: Event, topic: Topic, kind: str | None = None) -> None:
        """One record; with `kind` one of the malformed. The eighth kind is well-formed: its handler is at fault."""
        record = to_record(event)
        headers = list(record.headers)
        key: bytes | None = record.key
        value: bytes | None = record.value
        match kind:
            case "bad JSON":
                value = record.value[:-1]
            case "bad UTF-8":
                value = record.value.replace(b'"tcp"', b'"t\xffp"')
            case "wrong schema":
                value = json.dumps({"of": "another kind"}).encode()
            case "unknown version":
                headers = [(name, raw.replace(b".v1", b".v99") if name == "ce_type" else raw) for name, raw in headers]
            case "tombstone":
                value = None
            case "no key":
                key = None
            case "oversize":
                value = record.value[:-1] + b" " * topic.max_bytes + b"}"
        producer = self.packed if kind == "oversize" else self.plain  # the broker weighs it as it comes
        sending = await producer.send(topic.name, value, key=key, headers=headers)
        if kind is None:
            self.good += 1
        else:
            told = await sending
            self.written[topic.name, told.partition, told.offset] = Poison(kind, value)


@asynccontextmanager
async def writing(bootstrap: str) -> AsyncIterator[Writer]:
    plain = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=2)
    packed = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="gzip", max_request_size=4_000_000)
    await plain.start()
    await packed.start()
    try:
        yield Writer(plain, packed)
    finally:
        await plain.stop()
        await packed.stop()


def origin_of(headers: Mapping[str, bytes]) -> Origin:
    """Where a dead letter comes from, as it says."""
    told = {name: headers[f"clearline-origin-{name}"].decode() for name in ("topic", "partition", "offset")}
    return told["topic"], int(told["partition"]), int(told["offset"])
