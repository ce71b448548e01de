"""Batch consumption: one poll, one transaction, one position."""

from collections.abc import Sequence

from clearline.chassis.clock import Clock
from clearline.chassis.consumer import ConsumerStatus
from clearline.chassis.consumption import BatchHandler, Positions
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import Topic


class BatchConsumer:
    """Hands whole polls to a transactional handler; halves a failing batch until the guilty record stands alone."""

    def __init__(
        self,
        *,
        settings: KafkaSettings,
        topics: Sequence[Topic],
        group: str,
        handler: BatchHandler,
        producer: Producer,
        metrics: Metrics,
        clock: Clock,
        positions: Positions | None = None,
        max_records: int = 500,
    ) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    async def stop(self, deadline: float) -> None:
        raise NotImplementedError

    def status(self) -> ConsumerStatus:
        raise NotImplementedError
