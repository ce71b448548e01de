"""How a worker lives: wait for what it needs, consume, and on SIGTERM finish or hand back within a deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from clearline.chassis.clock import Clock, SystemClock
from clearline.chassis.consumer import Consumer
from clearline.chassis.health import Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import ProcessSettings

STOP_WITHIN = 20.0
"""Seconds from SIGTERM to the end; below the thirty after which Kubernetes kills."""


@dataclass(kw_only=True)
class Worker:
    """A process without HTTP of its own: an operations port, a producer and its consumers by name."""

    name: str
    settings: ProcessSettings
    producer: Producer
    consumers: dict[str, Consumer]
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    clock: Clock = field(default_factory=SystemClock)
    ready: Sequence[Callable[[], Awaitable[None]]] = ()
    """Awaited in order before consumption begins; each waits for a dependency and returns when it is there."""
    stop_within: float = STOP_WITHIN

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop` is set, then stop within `stop_within`."""
        raise NotImplementedError


def run_until_signal(worker: Worker, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run `worker` until SIGTERM or SIGINT; for `__main__`. A process that probes passes `OutboundLoop`."""
    raise NotImplementedError
