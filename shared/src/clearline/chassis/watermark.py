"""Watermark consumption: concurrent, in order per key; the committed offset is the lowest unfinished one."""

from collections.abc import Awaitable, Callable, Sequence

from clearline.chassis.clock import Clock
from clearline.chassis.consumer import ConsumerStatus
from clearline.chassis.consumption import ControlHandler, KeyedHandler, Received
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import Topic

OnDead = Callable[[Received, Dead], Awaitable[None]]
"""Called before a readable record is dead-lettered, so that a request can end with a failure that its asker sees."""


class WatermarkConsumer:
    """Runs a handler per record, bounded, in order per key."""

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        group: str,
        handler: KeyedHandler,
        producer: Producer,
        metrics: Metrics,
        clock: Clock,
        control: ControlHandler | None = None,
        on_dead: OnDead | None = None,
        concurrency: int = 64,
        high: int = 2_000,
    ) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    async def stop(self, deadline: float) -> None:
        raise NotImplementedError

    def status(self) -> ConsumerStatus:
        raise NotImplementedError
