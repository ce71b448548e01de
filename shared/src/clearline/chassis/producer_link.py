"""One aiokafka producer at a time: connected when needed, thrown away after an error, closed within a limit.

An idempotent aiokafka producer retries for ever, and after one non-retriable error it stays in
OutOfOrderSequenceNumber for ever: so every wait has a limit, and after any failure a new producer takes over.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from clearline.chassis.delivery import ConnectionReplaced, NotTried, Outgoing
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topic_sending import PATIENCE_SECONDS, Placed, Sent, send_topic

MAX_REQUEST_BYTES = 1024 * 1024
"""Kafka's own default. Each topic's smaller limit is checked per record before sending."""
BATCH_BYTES = 128 * 1024
"""Half the smallest topic limit (256 KiB), so that no batch of good records is refused for its size."""
REQUEST_TIMEOUT_MS = 8_000
CLOSE_SECONDS = 2.0


class ProducerLink:
    """The connection of one `Producer`."""

    def __init__(self, settings: KafkaSettings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._current: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._abandoned: set[asyncio.Task[None]] = set()

    async def live(self) -> AIOKafkaProducer:
        """The connected producer, made now if there is none. Raises while Kafka is away."""
        async with self._connecting:
            if self._current is None:
                self._current = await self._connect()
            return self._current

    async def send_all(self, outgoing: Sequence[Outgoing], limit: float) -> list[Any]:
        """Send all in order per topic, then wait for all, `limit` seconds at most: what each gave, or its exception."""
        producer: AIOKafkaProducer | None = None
        sent: Sent = {}
        failure: Exception | None = None
        topics: dict[str, list[Placed]] = defaultdict(list)
        for place, out in enumerate(outgoing):
            topics[out.topic.name].append((place, out))
        try:
            async with asyncio.timeout(limit):
                producer = await self.live()
                patience = min(PATIENCE_SECONDS, limit / 3)
                await asyncio.gather(*(send_topic(producer, records, sent, patience) for records in topics.values()))
                if futures := _futures(sent):
                    await asyncio.wait(futures)
        except (KafkaError, OSError, TimeoutError) as error:
            failure = error
        except asyncio.CancelledError:
            if not all(future.done() for future in _futures(sent)):
                self._discard(producer)  # what is still queued would be written whenever Kafka is back
            raise
        results = [_result(sent.get(place), failure) for place in range(len(outgoing))]
        if any(isinstance(result, BaseException) and not isinstance(result, NotTried) for result in results):
            self._discard(producer)
        return results

    async def close(self, limit: float) -> None:
        """Flush and close within `limit` seconds."""
        producer, self._current = self._current, None
        if producer is not None:
            stopping = asyncio.create_task(producer.stop())
            await asyncio.wait({stopping}, timeout=limit)
            if not stopping.done():
                stopping.cancel()
                await _tear_down(producer)
            await asyncio.gather(stopping, return_exceptions=True)
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=CLOSE_SECONDS)

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._settings.client_options(),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
        except BaseException:
            self._abandon(producer)
            raise
        return producer

    def _discard(self, producer: AIOKafkaProducer | None) -> None:
        """Replace `producer` at the next need; others that wait on it get an error and may try again."""
        if producer is not None and self._current is producer:
            self._current = None
            self._abandon(producer)

    def _abandon(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_tear_down(producer))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


def _futures(sent: Sent) -> list[asyncio.Future[Any]]:
    return [each for each in sent.values() if isinstance(each, asyncio.Future)]


def _result(sent: asyncio.Future[Any] | Exception | None, failure: Exception | None) -> Any:
    if not isinstance(sent, asyncio.Future):
        return sent or failure or TimeoutError()
    if not sent.done():
        sent.cancel()
        return failure or TimeoutError()
    if sent.cancelled():
        return failure or TimeoutError()
    return sent.exception() or sent.result()


async def _tear_down(producer: AIOKafkaProducer) -> None:
    """Close without flushing: `stop()` would retry what is queued for ever, and write it after its successor's records.

    The parts are aiokafka's own; the public `stop()` has no way to give up. tests/chassis holds this to the version.
    """
    producer._closed = True  # noqa: SLF001 - see above
    sender = producer._sender.sender_task  # noqa: SLF001 - see above
    if sender is not None:
        sender.cancel()
    producer._message_accumulator.fail_all(ConnectionReplaced())  # noqa: SLF001 - see above
    closing = asyncio.create_task(producer.client.close())
    waiting = {closing} | ({sender} if sender is not None else set())
    await asyncio.wait(waiting, timeout=CLOSE_SECONDS)
    closing.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
