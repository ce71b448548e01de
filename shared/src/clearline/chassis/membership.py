"""What every consumer is given, whichever way it consumes; callers write the names, mypy checks them."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from clearline.chassis.clock import Clock
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.contracts.topics import Topic


class Membership(TypedDict):
    """One member of one group, and where its dead letters go."""

    settings: KafkaSettings
    topics: Sequence[Topic]
    group: str
    producer: Producer
    metrics: Metrics
    clock: Clock
    dead_letters: NotRequired[Topic]
    dead_letters_only_alarm: NotRequired[bool]
    """On topics that others write too, many dead letters alarm; elsewhere they stop the consumer."""
