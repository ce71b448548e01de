"""The one way onto the bus: idempotent, acknowledged by all replicas, never waiting longer than it says."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from clearline.chassis import lease, traced_messages
from clearline.chassis.clock import Clock
from clearline.chassis.cloudevents import KafkaRecord, to_record
from clearline.chassis.delivery import (
    BusUnavailable,
    Delivery,
    NotTried,
    Outgoing,
    PublishError,
    RawRecord,
    Receipt,
    RecordRefused,
    is_size_refusal,
    receipt_of,
    record_size,
)
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer_link import ProducerLink
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.event import Event
from clearline.contracts.topics import Topic

__all__ = [
    "BusUnavailable",
    "Delivery",
    "Outgoing",
    "Producer",
    "PublishError",
    "RawRecord",
    "Receipt",
    "RecordRefused",
]

PUBLISH_SECONDS = 10.0
"""A broker's restart takes 3 to 5 s; whoever waits longer than this is told, and tries again."""

_REFUSED, _HELD = Delivery.REFUSED, Delivery.HELD


class Producer:
    """An idempotent producer that rebuilds itself after an error that would otherwise stay for ever."""

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        metrics: Metrics,
        clock: Clock,
        client_id: str,
        timeout: float = PUBLISH_SECONDS,
    ) -> None:
        self._link = ProducerLink(settings, client_id)
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout
        self._last_error: str | None = None

    async def start(self) -> None:
        """Connect. Raises `BusUnavailable` while no broker answers."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._link.live()
        except Exception as error:
            raise BusUnavailable(f"Kafka does not answer: {type(error).__name__}") from error

    async def stop(self, limit: float = 5.0) -> None:
        """Flush for at most `limit` seconds and close. Never raises, never waits longer."""
        await self._link.close(limit)

    @property
    def last_error(self) -> str | None:
        """Why the latest publication failed, None if it did not."""
        return self._last_error

    async def publish(self, event: Event, topic: Topic) -> None:
        """Publish one event. Raises `RecordRefused` or `BusUnavailable`."""
        with traced_messages.sent(event, topic) as told:
            await self.publish_encoded(to_record(told), topic)

    async def publish_encoded(self, record: KafkaRecord | RawRecord, topic: Topic) -> None:
        """Publish one encoded record. Raises `RecordRefused` or `BusUnavailable`."""
        receipt = (await self.publish_many((Outgoing(topic, record),)))[0]
        if receipt.delivery is _REFUSED:
            raise RecordRefused(receipt.detail)
        if receipt.delivery is not Delivery.ACKNOWLEDGED:
            raise BusUnavailable(receipt.detail)

    async def publish_many(self, outgoing: Sequence[Outgoing]) -> list[Receipt]:
        """Publish all, in order per key, and say of each how it ended. Never raises for what Kafka does."""
        lease.check()
        receipts = _refuse_oversize(outgoing)
        await self._send(outgoing, [at for at, receipt in enumerate(receipts) if receipt is None], receipts)
        await self._single_out_the_refused(outgoing, receipts)
        told = [receipt or Receipt(Delivery.UNKNOWN, "not sent") for receipt in receipts]
        self._account(outgoing, told)
        return told

    async def _send(self, outgoing: Sequence[Outgoing], at: Sequence[int], receipts: list[Receipt | None]) -> None:
        """Send the records at these places and note how each ended; what was tried and failed costs the connection."""
        if not at:
            return
        results = await self._link.send_all([outgoing[place] for place in at], self._timeout)
        for place, result in zip(at, results, strict=True):
            receipts[place] = receipt_of(result)
        if any(isinstance(result, BaseException) and not isinstance(result, NotTried) for result in results):
            self._metrics.producer_rebuilds.inc()

    async def _single_out_the_refused(self, outgoing: Sequence[Outgoing], receipts: list[Receipt | None]) -> None:
        """Kafka refuses a whole produce batch for one record: send its records alone, so that one alone is refused."""
        suspects = [at for at, receipt in enumerate(receipts) if receipt is not None and is_size_refusal(receipt)]
        if len(suspects) <= 1:
            return
        refused: set[tuple[str, bytes | None]] = set()
        for at in suspects:
            if _place(outgoing[at]) in refused:
                receipts[at] = Receipt(_HELD, "an earlier record of its key was refused")
                continue
            await self._send(outgoing, [at], receipts)
            if (receipt := receipts[at]) is not None and receipt.delivery is _REFUSED:
                refused.add(_place(outgoing[at]))

    def _account(self, outgoing: Sequence[Outgoing], receipts: Sequence[Receipt]) -> None:
        ends = ((out.topic.name, receipt.delivery) for out, receipt in zip(outgoing, receipts, strict=True))
        for (topic, delivery), count in Counter(ends).items():
            self._metrics.published.labels(topic, delivery.value).inc(count)
        self._last_error = next((r.detail for r in receipts if r.delivery is not Delivery.ACKNOWLEDGED), None)


def _place(out: Outgoing) -> tuple[str, bytes | None]:
    return out.topic.name, out.record.key


def _refuse_oversize(outgoing: Sequence[Outgoing]) -> list[Receipt | None]:
    """Decided before sending: an oversize record makes an idempotent producer fail for ever, and its batch with it."""
    refused: set[tuple[str, bytes | None]] = set()
    receipts: list[Receipt | None] = []
    for out in outgoing:
        if _place(out) in refused:
            receipts.append(Receipt(_HELD, "an earlier record of its key was refused"))
        elif (size := record_size(out.record)) > out.topic.max_bytes:
            refused.add(_place(out))
            receipts.append(Receipt(_REFUSED, f"{size} bytes; {out.topic.name} takes {out.topic.max_bytes}"))
        else:
            receipts.append(None)
    return receipts
