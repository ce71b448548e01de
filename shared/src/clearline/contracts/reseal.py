"""The rotation of sealing keys: stored envelopes are opened and sealed anew by whoever holds the keys."""

from hashlib import sha256
from uuid import UUID

import msgspec

from clearline.contracts.connection import Envelope
from clearline.contracts.event import Body, EventType


def envelope_digest(sealed: str) -> str:
    """Names one envelope by what it looks like from outside: it says nothing about the secret in it."""
    return sha256(sealed.encode()).hexdigest()


class StoredEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope with the place that it opens for."""

    field: str
    destination: str
    envelope: Envelope


class ResealRequested(Body, frozen=True, kw_only=True):
    """Work for the verifier: open each envelope and seal it for the key `key_id`, which has to be its own first one.

    No key travels: whoever could write to the topic would else have secrets sealed for a key of his own.
    """

    reseal_id: UUID
    connection_id: UUID
    kind: str
    key_id: str
    """Names the key to seal for."""
    envelopes: tuple[StoredEnvelope, ...]
    requested_by: str


class RenewedEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the place of one envelope, wherever it is still stored; `changed_at` is that of the secret."""

    field: str
    replaces: str
    """`envelope_digest` of the old one, in hex."""
    envelope: Envelope


class UnrenewedEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """Why one envelope stays as it is."""

    field: str
    key_id: str
    """The key that it is sealed for."""
    code: str
    """Of the error catalogue."""
    operator_detail: str


class Resealed(Body, frozen=True, kw_only=True):
    """The one answer to a reseal request; every envelope of it is in one of the two lists."""

    reseal_id: UUID
    connection_id: UUID
    key_id: str
    renewed: tuple[RenewedEnvelope, ...] = ()
    failed: tuple[UnrenewedEnvelope, ...] = ()


RESEAL_REQUESTED = EventType(
    "clearline.connection.reseal_requested.v1",
    ResealRequested,
    "Stored envelopes of one connection shall be sealed for another key.",
)
RESEALED = EventType(
    "clearline.connection.resealed.v1", Resealed, "Envelopes were sealed for another key, or could not be."
)
