"""The aggregate as decisions see it: a connection's settings, its revisions by number, and what it holds sealed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clearline.contracts.connection import BeatPolicy, Environment, Lifecycle
from gateway.read_model.verification_status import status_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One row of service_connection_profiles: its settings and which revisions count."""

    id: UUID
    name: str
    environment: Environment
    owner: str | None
    kind: str
    beat: BeatPolicy
    lifecycle: Lifecycle
    revision: int
    """The newest that was not discarded."""
    live_revision: int | None = None
    live_verification_id: UUID | None = None
    last_live_revision: int | None = None
    """May be activated again by its number."""
    sequence: int
    """Of the newest event; the ETag."""

    @property
    def staged_revision(self) -> int | None:
        """The newest revision where another one is live."""
        if self.live_revision is None or self.live_revision == self.revision:
            return None
        return self.revision

    @property
    def kept_revisions(self) -> frozenset[int]:
        """The revisions whose credentials are kept: the newest, the live and the last live one; none once retired."""
        if self.lifecycle == "retired":
            return frozenset()
        numbers = (self.revision, self.live_revision, self.last_live_revision)
        return frozenset(number for number in numbers if number is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A stored credential, which the gateway cannot read."""

    key_id: str
    sealed: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a revision consists of."""

    config: Mapping[str, Any]
    destination: str
    """What the envelopes are bound to."""
    credentials: Mapping[str, Sealed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The newest finished verification of one revision."""

    verification_id: UUID
    outcome: str
    expires_at: datetime | None

    def status(self, now: datetime) -> str:
        """Its outcome, or `expired`."""
        return status_at(self.outcome, self.expires_at, now)
