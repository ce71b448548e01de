"""What aiokafka hands out, as far as the chassis uses it; aiokafka ships no types."""

from collections.abc import Sequence
from typing import Protocol


class Record(Protocol):
    """A consumed record: `aiokafka.ConsumerRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970, UTC."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
