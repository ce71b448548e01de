"""One member of a group in a process of its own, to be killed: writes what it handled to a ledger, one line each."""

import asyncio
import os
import signal
import sys

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Received
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.watermark import WatermarkConsumer
from clearline.contracts.event import Body, EventType
from clearline.contracts.topics import Topic


class Step(Body, frozen=True):
    n: int
    note: str = ""


async def main(bootstrap: str, name: str, partitions: int, group: str, ledger: str) -> None:
    settings = KafkaSettings(bootstrap_servers=(bootstrap,), session_timeout_ms=2_000)
    metrics, clock = Metrics(), SystemClock()
    topic = Topic(
        name=name,
        purpose="",
        key="",
        partitions=partitions,
        producers=(),
        consumers=(),
        types=(EventType("clearline.test.stepped.v1", Step, ""),),
    )
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handler(received: Received) -> Outcome:
        await asyncio.sleep(0.002)
        assert received.event is not None
        os.write(file, f"{received.key} {received.event.data.n} {os.getpid()}\n".encode())
        return Done()

    consumer = WatermarkConsumer(
        settings=settings,
        topics=[topic],
        group=group,
        handler=handler,
        producer=Producer(settings=settings, metrics=metrics, clock=clock, client_id="member"),
        metrics=metrics,
        clock=clock,
        concurrency=8,
        high=200,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.ensure_future(consumer.stop(8)))
    await consumer.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))
