"""Who acts: a token's name, role and environments, and the request it acts in."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from clearline.contracts.connection import Environment

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may do what the ones before it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The holder of a valid token."""

    id: UUID
    name: str
    role: Role
    environments: tuple[Environment, ...]

    @property
    def label(self) -> str:
        """How audit and events name them: the name, told apart from its namesakes by the token's first digits."""
        return f"{self.name}#{str(self.id)[:8]}"

    @property
    def sees_operator_detail(self) -> bool:
        """Viewers get the friendly half of every failure."""
        return self.may("operator")

    def may(self, needed: Role) -> bool:
        """Whether this role includes `needed`."""
        return ROLES.index(self.role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a command that is to be done once, however often it is sent."""

    key: str
    """The caller's own; keys of different tokens never meet."""
    fingerprint: bytes
    """Of the request: another one under the same key is a mistake."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal within one request."""

    principal: Principal
    correlation_id: str
    attempt: Attempt | None = None
