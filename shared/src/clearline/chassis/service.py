"""How a worker lives: wait for what it needs, consume, and on SIGTERM finish or hand back within a deadline."""

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import structlog

from clearline.chassis.clock import Clock, SystemClock
from clearline.chassis.collector import freeze_what_stays
from clearline.chassis.consumer import Consumer
from clearline.chassis.health import CheckResult, Health
from clearline.chassis.listening import PortTaken
from clearline.chassis.loop_faults import quiet_kafka_client
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp
from clearline.chassis.ops_server import OpsServer
from clearline.chassis.producer import BusUnavailable, Producer
from clearline.chassis.retry import KAFKA
from clearline.chassis.settings import ProcessSettings

STOP_WITHIN = 20.0
"""Seconds from SIGTERM to the end; below the thirty after which Kubernetes kills."""
PRODUCER_STOP_SECONDS = 3.0
GRACE_SECONDS = 2.0
"""Beyond `stop_within`, after which the process ends whatever still hangs in it."""

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


@dataclass(kw_only=True)
class Worker:
    """A process without HTTP of its own: an operations port, a producer and its consumers by name."""

    name: str
    settings: ProcessSettings
    producer: Producer
    consumers: Mapping[str, Consumer]
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    clock: Clock = field(default_factory=SystemClock)
    ready: Sequence[Callable[[], Awaitable[None]]] = ()
    """Awaited in order before consumption begins; each waits for a dependency and returns when it is there."""
    stop_within: float = STOP_WITHIN

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop` is set, then stop within `stop_within`. Raises what a consumer dies of, and `PortTaken`."""
        self.metrics.tell_build(
            service=self.name, version=version("clearline"), installation=self.settings.installation
        )
        phase = _Start()
        self.health.add("start", phase.check)
        self.health.add("publishing", self._publishing, required=False)
        for name, consumer in self.consumers.items():
            self.health.add(f"consumer {name}", lambda consumer=consumer: consumer.status().check())  # type: ignore[misc]
        ops = OpsServer(OpsApp(self.metrics, self.health), self.settings)
        serving = asyncio.create_task(ops.run())
        _LOG.info("started", ops_port=ops.port)
        working, stopped = asyncio.create_task(self._work(phase)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            phase.detail = "stopping"
            await self._stop()
            for task in (working, stopped, serving):
                task.cancel()
            await asyncio.wait({working, stopped, serving}, timeout=GRACE_SECONDS)
            _LOG.info("stopped")

    async def _work(self, phase: "_Start") -> None:
        phase.detail = "waiting for Kafka"
        await self._wait_for_kafka()
        for wait in self.ready:
            phase.detail = _named(wait)
            await wait()
        phase.detail = ""
        async with asyncio.TaskGroup() as group:
            for consumer in self.consumers.values():
                group.create_task(consumer.run())

    async def _wait_for_kafka(self) -> None:
        attempt = 0
        while True:
            attempt += 1
            try:
                await self.producer.start()
            except BusUnavailable as error:
                if attempt == 1:
                    _LOG.warning("waiting for Kafka", reason=str(error))
                await self.clock.sleep(KAFKA.wait(attempt, random.random))
            else:
                return

    def _publishing(self) -> CheckResult:
        error = self.producer.last_error
        return CheckResult(ok=error is None, detail=error or "the latest record was acknowledged, or none was sent")

    async def _stop(self) -> None:
        """Consumers first, all at once, then the producer they publish with."""
        deadline = max(1.0, self.stop_within - PRODUCER_STOP_SECONDS)
        stopping = [asyncio.create_task(consumer.stop(deadline)) for consumer in self.consumers.values()]
        if stopping:
            _, late = await asyncio.wait(stopping, timeout=deadline)
            for task in late:
                task.cancel()
            if late:
                _LOG.warning("not everything could be handed back in time; the next owner does it again")
        await self.producer.stop(PRODUCER_STOP_SECONDS)


def _named(wait: object) -> str:
    """`wait_for_schema`, also inside a `partial`, reads "wait for schema"."""
    name: str = getattr(getattr(wait, "func", wait), "__name__", "waiting for a dependency")
    return name.replace("_", " ")


@dataclass(slots=True)
class _Start:
    """What the process still waits for before it works; empty when it does."""

    detail: str = "starting"

    def check(self) -> CheckResult:
        return CheckResult(ok=not self.detail, detail=self.detail or "done")


def run_until_signal(worker: Worker, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run `worker` until SIGTERM or SIGINT; for `__main__`. A process that probes passes `OutboundLoop`."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(until_signal(worker))


async def until_signal(worker: Worker) -> None:
    """The same inside a loop that runs already, for a `__main__` with resources of its own to open and close."""
    stop = asyncio.Event()

    def begin_to_stop() -> None:
        stop.set()
        _end_at_last(worker.stop_within + GRACE_SECONDS)

    loop = asyncio.get_running_loop()
    quiet_kafka_client(loop)
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, begin_to_stop)
    freeze_what_stays()
    try:
        await worker.run(stop)
    except PortTaken as taken:
        sys.stderr.write(f"Cannot start: {taken}.\n")
        raise SystemExit(2) from None


def _end_at_last(seconds: float) -> None:
    """End the process after `seconds` even if its loop does not: a Kafka client can wait minutes for a broker."""
    last = threading.Timer(seconds, os._exit, args=(1,))
    last.daemon = True
    last.start()
