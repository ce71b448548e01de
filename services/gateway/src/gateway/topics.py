"""`gateway topics`: creates every topic of the bus from its record, before anyone needs it."""

import asyncio

from clearline.chassis.clock import SystemClock
from clearline.chassis.settings import load
from clearline.chassis.topics import provision
from clearline.contracts.topics import TOPICS
from gateway.settings import TopicsSettings


def main(_arguments: list[str]) -> None:
    """Wait for Kafka, create what is missing, print its names."""
    for name in asyncio.run(provision(TOPICS, load(TopicsSettings), SystemClock())):
        print(name)  # noqa: T201 - this is what the command is for
