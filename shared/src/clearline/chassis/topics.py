"""Creates what topic records declare and refuses to run against topics that differ from them."""

from collections.abc import Sequence

from clearline.chassis.clock import Clock
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import Topic


class TopicsDiffer(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """A topic exists with another shape than its record declares; nothing was changed."""


async def provision(topics: Sequence[Topic], settings: KafkaSettings, clock: Clock) -> list[str]:
    """Create the missing ones and return their names. Waits for Kafka. Raises `TopicsDiffer`."""
    raise NotImplementedError
