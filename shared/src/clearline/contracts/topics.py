"""Every topic as one record; creation, AsyncAPI, the docs table and access rules are rendered from these."""

from dataclasses import dataclass
from typing import Literal

from clearline.contracts import connection, reseal, verification
from clearline.contracts.event import EventType

PARTITIONS_BY_CONNECTION = 12
"""Topics keyed by connection id share this number, so that a range assignor gives one process all of a connection."""

DAY_MS = 24 * 60 * 60 * 1000
KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of the bus: what it carries, who writes it, who reads it, how long it is kept."""

    name: str
    purpose: str
    key: str
    """What the record key is, in words."""
    partitions: int = PARTITIONS_BY_CONNECTION
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int | None = None
    """None on compacted topics."""
    max_bytes: int = 256 * KIB
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    types: tuple[EventType, ...]
    """Empty where anything may lie on it, as on the dead letters."""

    @property
    def compacted(self) -> bool:
        """Whether only the newest record of a key is kept, and a tombstone means that the key is gone."""
        return self.cleanup == "compact"


CONNECTIONS = Topic(
    name="clearline.connections",
    purpose="The whole state of each connection after its latest change.",
    key="connection id",
    cleanup="compact",
    producers=("gateway",),
    consumers=("gateway",),
    types=(connection.CONFIGURED, connection.ACTIVATED, connection.DEACTIVATED, connection.RETIRED),
)
VERIFICATION_REQUESTS = Topic(
    name="clearline.verification-requests",
    purpose="The verifier's work queue.",
    key="connection id, or test id for unsaved values",
    retention_ms=DAY_MS,
    producers=("gateway",),
    consumers=("verifier",),
    types=(verification.REQUESTED, verification.CANCEL_REQUESTED, reseal.RESEAL_REQUESTED),
)
VERIFICATIONS = Topic(
    name="clearline.verifications",
    purpose="What verifications found, step by step and in the end.",
    key="connection id, or test id for unsaved values",
    retention_ms=30 * DAY_MS,
    producers=("verifier",),
    consumers=("gateway",),
    types=(verification.PROGRESSED, verification.VERIFIED, verification.FAILED, reseal.RESEALED),
)
DEAD_LETTERS = Topic(
    name="clearline.dead-letters",
    purpose="Every record that could not be handled: its original bytes, with origin and reason in headers.",
    key="key of the original record",
    retention_ms=30 * DAY_MS,
    max_bytes=1024 * KIB,
    producers=("gateway", "verifier"),
    consumers=(),
    types=(),
)

TOPICS: tuple[Topic, ...] = (CONNECTIONS, VERIFICATION_REQUESTS, VERIFICATIONS, DEAD_LETTERS)


def types_by_name() -> dict[str, EventType]:
    """Every event type that any topic carries, by its wire name."""
    return {event_type.name: event_type for topic in TOPICS for event_type in topic.types}
