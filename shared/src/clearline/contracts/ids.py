"""Ids that a second run of the same work makes again, so that repeats are recognised."""

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1d4b1e-6c7a-5f0e-9a53-2f1c7f0c2b11")


def event_id(cause: str | UUID, event_type: str, ordinal: int = 0) -> UUID:
    """Id of the `ordinal`-th event of `event_type` that `cause` gives rise to.

    `cause` is the id of a command, request or beat, never of a try or a process (RFC 9562, version 5).
    """
    return uuid5(NAMESPACE, f"{cause}|{event_type}|{ordinal}")


def dead_letter_id(topic: str, partition: int, offset: int) -> UUID:
    """Id of the dead letter of one record: writing it twice is recognisable."""
    return uuid5(NAMESPACE, f"dead|{topic}|{partition}|{offset}")
