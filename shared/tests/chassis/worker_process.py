"""A worker in a process of its own, as a service's `__main__` would run it; it handles records for as long as told."""

import asyncio
import sys

from clearline.chassis import logging
from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Received
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.producer import Producer
from clearline.chassis.service import Worker, run_until_signal
from clearline.chassis.settings import KafkaSettings, ProcessSettings, load
from clearline.chassis.watermark import WatermarkConsumer
from clearline.contracts.event import Body, EventType
from clearline.contracts.topics import Topic


class Step(Body, frozen=True):
    n: int
    note: str = ""


def main() -> None:
    process, kafka, (name, group, seconds) = load(ProcessSettings), load(KafkaSettings), sys.argv[1:]
    logging.configure("worker", process)
    metrics, clock = Metrics(), SystemClock()
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id="worker")
    topic = Topic(
        name=name,
        purpose="",
        key="",
        partitions=1,
        producers=(),
        consumers=(),
        types=(EventType("clearline.test.stepped.v1", Step, ""),),
    )

    async def handler(_received: Received) -> Outcome:
        await asyncio.sleep(float(seconds))
        return Done()

    consumer = WatermarkConsumer(
        settings=kafka, topics=[topic], group=group, handler=handler, producer=producer, metrics=metrics, clock=clock
    )
    run_until_signal(
        Worker(
            name="worker",
            settings=process,
            producer=producer,
            consumers={"steps": consumer},
            metrics=metrics,
            clock=clock,
            stop_within=10,
        )
    )


if __name__ == "__main__":
    main()
