"""One batch of the relay, decided apart from its effects: what is sent, and what becomes of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearline.chassis.delivery import Delivery, Extent, Outgoing, RawRecord, Receipt
from clearline.contracts.topics import Topic
from gateway.relay_stuck import Place


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the outbox."""

    id: int
    key: str
    outgoing: Outgoing


@dataclass(slots=True)
class Settled:
    """What becomes of the rows of one batch; the rest stays for the next."""

    delete: list[Row] = field(default_factory=list)
    park: list[tuple[int, str]] = field(default_factory=list)
    stuck: dict[Place, str] = field(default_factory=dict)
    taken: set[Place] = field(default_factory=set)
    kafka_is_away: str | None = None
    again: bool = False
    """Whether some rows go again at once: what failed them was none of theirs."""

    @property
    def moved(self) -> bool:
        """Whether the next look will find other rows than this one, or the same are worth a try at once."""
        return bool(self.delete or self.park or self.stuck or self.again)


def row_of(columns: Mapping[str, Any], topics: Mapping[str, Topic]) -> Row:
    """A row of `outbox_next.sql` as it goes out: encoded when its command ran, untouched since."""
    headers = tuple((name, value.encode()) for name, value in columns["headers"])
    record = RawRecord(columns["key"].encode(), columns["value"], headers)
    topic = topics.get(columns["topic"]) or _of_a_newer_version(columns["topic"])
    return Row(columns["id"], columns["key"], Outgoing(topic, record))


def _of_a_newer_version(name: str) -> Topic:
    """While two versions run side by side, the older relay sends what the newer gateway wrote."""
    return Topic(name=name, purpose="known to a newer version", key="", producers=(), consumers=(), types=())


def settle(rows: Sequence[Row], receipts: Sequence[Receipt], *, others_went: bool = False) -> Settled:
    """Decide by what Kafka said. An acknowledged row stays if an earlier one of its key does, to go again after it.

    `others_went`: Kafka took events of other places while these were under way, so it is not away.
    """
    settled = Settled(taken=_taken(rows, receipts))
    staying: set[tuple[str, str]] = set()
    for row, receipt in zip(rows, receipts, strict=True):
        place = (row.outgoing.topic.name, row.key)
        match receipt.delivery:
            case Delivery.ACKNOWLEDGED if place not in staying:
                settled.delete.append(row)
                continue
            case Delivery.REFUSED if place not in staying:
                settled.park.append((row.id, receipt.detail))
            case Delivery.UNKNOWN:
                _note_unknown(settled, row, receipt, others_went=others_went)
            case _:
                pass  # held behind an earlier one of its key, or about to be
        staying.add(place)
    return settled


def _taken(rows: Sequence[Row], receipts: Sequence[Receipt]) -> set[Place]:
    topics_and_keys = (
        (row.outgoing.topic.name, key)
        for row, receipt in zip(rows, receipts, strict=True)
        if receipt.delivery is Delivery.ACKNOWLEDGED
        for key in (row.key, None)
    )
    return set(topics_and_keys)


def _note_unknown(settled: Settled, row: Row, receipt: Receipt, *, others_went: bool) -> None:
    """What Kafka did not take while it took others is stuck by itself; otherwise Kafka is away."""
    topic = row.outgoing.topic.name
    match receipt.extent:
        case Extent.TOPIC:
            settled.stuck[topic, None] = receipt.detail
        case Extent.NOTHING:
            settled.again = True
        case Extent.BUS if not settled.taken and not others_went:
            settled.kafka_is_away = receipt.detail
        case _:
            settled.stuck[topic, row.key] = receipt.detail
            settled.taken.discard((topic, row.key))
