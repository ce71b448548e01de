"""A connection as it is sent: the one place that writes the bodies of creating, editing and testing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a connection shall be."""

    name: str | None = None
    """Only a test needs none."""
    environment: str
    owner: str | None = None
    kind: str
    config: Mapping[str, Any]
    credentials: Mapping[str, str | None] = field(repr=False)
    """None forgets a stored one; one that is left out stays as it is stored."""
    beat: Mapping[str, Any] = field(default_factory=dict)
    """Empty: as it is, or by default."""

    def to_save(self) -> dict[str, Any]:
        """Body of POST /connections and PUT /connections/{id}. No owner takes a stored one away."""
        about = {"name": self.name, "environment": self.environment, "owner": self.owner, "kind": self.kind}
        return about | self._values() | ({"beat": dict(self.beat)} if self.beat else {})

    def to_try(self, lender: str | None = None) -> dict[str, Any]:
        """Body of POST /connections:test. `lender` is the saved connection that lends its stored secrets."""
        about = {"environment": self.environment, "kind": self.kind}
        return about | self._values() | ({} if lender is None else {"id": lender})

    def with_secrets(self, secrets: Mapping[str, str]) -> "Draft":
        """The same with more secrets."""
        return replace(self, credentials={**self.credentials, **secrets})

    def _values(self) -> dict[str, Any]:
        return {"config": dict(self.config), "credentials": dict(self.credentials)}
