"""A relay as a process of its own, so that a test may freeze it: `python -m … DSN BOOTSTRAP TOPIC`."""

import asyncio
import dataclasses
import sys

from prometheus_client import CollectorRegistry
from services.gateway.tests.bus import producer

from clearline.chassis.clock import SystemClock
from clearline.contracts.topics import CONNECTIONS
from gateway.metrics import GatewayMetrics
from gateway.relay import Relay


async def main(dsn: str, bootstrap: str, topic: str) -> None:
    relay = Relay(
        dsn=dsn,
        publisher=producer(bootstrap),
        topics=[dataclasses.replace(CONNECTIONS, name=topic)],
        metrics=GatewayMetrics(CollectorRegistry()),
        clock=SystemClock(),
    )
    await relay.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
