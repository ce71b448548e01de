"""A connection as it travels: its whole state after each change, so that the newest record of a key is enough."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from clearline.contracts.event import Body, EventType, Moment

Environment = Literal["development", "staging", "production"]
ENVIRONMENTS: tuple[Environment, ...] = ("development", "staging", "production")
Lifecycle = Literal["inactive", "active", "retired"]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed credential (HPKE, RFC 9180). Only verifier, diagnostics and heartbeat hold a key that opens it."""

    key_id: str
    sealed: str
    """Encapsulated key and ciphertext, base64url without padding."""
    changed_at: Moment


class BeatPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a connection is asked whether it lives, and how many answers decide."""

    interval_seconds: int = 30
    timeout_seconds: int = 10
    failure_threshold: int = 2
    recovery_threshold: int = 2
    degraded_after_ms: int | None = None


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of config and credentials."""

    number: int
    config: dict[str, Any]
    envelopes: dict[str, Envelope] = {}
    """Credential field → envelope."""


class ConnectionState(Body, frozen=True, kw_only=True):
    """Everything a consumer needs of a connection, after the change that this event tells of."""

    connection_id: UUID
    name: str
    environment: Environment
    owner: str | None
    kind: str
    beat: BeatPolicy
    lifecycle: Lifecycle
    newest: Revision
    """The newest revision; equal to `live` when nothing is staged."""
    live: Revision | None = None
    """The revision that is active, if any."""
    changed_at: Moment
    changed_by: str


class ConnectionRetired(Body, frozen=True, kw_only=True):
    """A connection is gone for good: no config, no envelopes. A tombstone follows seven days later."""

    connection_id: UUID
    name: str
    environment: Environment
    kind: str
    changed_at: Moment
    changed_by: str


CONFIGURED = EventType(
    "clearline.connection.configured.v1",
    ConnectionState,
    "A connection was created, or its config, credentials or settings changed.",
)
ACTIVATED = EventType("clearline.connection.activated.v1", ConnectionState, "A proven revision went live.")
DEACTIVATED = EventType(
    "clearline.connection.deactivated.v1", ConnectionState, "A connection was taken out of service."
)
RETIRED = EventType("clearline.connection.retired.v1", ConnectionRetired, "A connection was retired for good.")
