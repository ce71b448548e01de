"""What a connection kind is: a form, a destination, and the rungs of the ladder that it knows how to climb."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr

from clearline.catalogue import FieldError
from clearline.contracts.verification import STEPS, StepName


class Form(BaseModel):
    """Base of every kind's config and credentials: strict, closed, immutable; its JSON Schema is the form."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def as_json(self) -> dict[str, Any]:
        """The form as plain JSON values, defaults filled in: what is stored and sent for a config."""
        return self.model_dump(mode="json")


class Credentials(Form):
    """Base of every kind's credentials: `Secret` fields, optional where the config decides whether they are needed."""

    def given(self) -> dict[str, str]:
        """The secrets in plain, by field; only for whoever seals or presents them."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value.get_secret_value() for name, value in values.items() if isinstance(value, SecretStr)}


class Clock(Protocol):
    """Time as the ladder needs it; `clearline.chassis.clock` fits."""

    def now(self) -> datetime:
        """Now, with a time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...


@dataclass(frozen=True, slots=True)
class Permission:
    """Something the other side must allow, checked on its own."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the first three rungs go, and which form fields say so."""

    host: str
    """A name or a canonical address, as it is dialled."""
    port: int
    host_field: str = "/config/host"
    port_field: str = "/config/port"
    tls_field: str = "/config/tls"


@dataclass(slots=True, kw_only=True)
class Climb:
    """One ascent: what the rungs are given, and what an earlier one leaves to a later one."""

    config: Any
    credentials: Any
    endpoint: Endpoint
    clock: Clock
    addresses: tuple[str, ...] = ()
    """What `resolve` found and the policy approved."""
    address: str | None = None
    """The one that answered `connect`."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What a kind keeps from rung to rung, for example its open connection."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    """Closed when the climb ends, however it ends."""
    hide: Callable[[str], None] = lambda _secret: None
    """Keeps a secret that came up on the way, such as an access token, out of everything that is told."""


Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rung that does not apply to this config, with the reason."""

    because: str


Rung = Callable[[Climb], Awaitable[Evidence | Skipped]]


class StepFailed(Exception):  # noqa: N818 - a finding about the other side, not an error of ours
    """A rung found what is wrong: a catalogue code, the form field to fix, and detail for operators."""

    def __init__(
        self,
        code: str,
        *,
        field: str | None = None,
        detail: str = "",
        step: StepName | None = None,
        evidence: Evidence | None = None,
        **variables: object,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.detail = detail
        self.step = step
        """The rung it belongs to, when one exchange answers for several (a 403 is about authorize)."""
        self.evidence: Evidence = evidence or {}
        self.variables = variables


Explain = Callable[[BaseException, Climb, StepName], StepFailed | None]

Conflicts = Callable[[Any, Any, datetime | None], Iterable[FieldError]]
"""Config, credentials as far as they are known, and the time where it is known → faults by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of connection: one file, one test, one line in `clearline.probes.registry`."""

    name: str
    title: str
    description: str
    config: type[Form]
    credentials: type[Credentials]
    rungs: Mapping[StepName, Rung]
    """What the kind does itself. `resolve` and `connect` are the ladder's own, the same for all kinds."""
    endpoint: Callable[[Any], Endpoint]
    destination: Callable[[Any], str]
    """Canonical text of everything that decides who receives the credentials; pure."""
    required_credentials: Callable[[Any], frozenset[str]]
    allowed_credentials: Callable[[Any], frozenset[str]]
    """Those that this config can use; one that it cannot use is refused rather than stored for nothing."""
    conflicts: Conflicts = lambda _config, _credentials, _now: ()
    """What does not fit together though each field is right alone; found before anything is dialled."""
    further: Callable[[Any], tuple[Endpoint, ...]] = lambda _config: ()
    """Other places that the form names and a rung dials: a token server."""
    permissions: tuple[Permission, ...] = ()
    libraries: tuple[str, ...] = ()
    """Modules that it imports only where it dials. Who climbs few ladders imports them before the first is timed."""
    spared: Callable[[Any, StepName], Skipped | None] = lambda _config, _step: None
    """Why the ladder's own `resolve` or `connect` does not apply to a config: UDP has no connection to make."""
    explain: Explain = lambda _error, _climb, _step: None
    """Turns the client library's exceptions into findings; None leaves it to the generic table."""

    @property
    def steps(self) -> tuple[StepName, ...]:
        """The rungs it has, in the order of the ladder."""
        known = {"resolve", "connect", *self.rungs}
        return tuple(step for step in STEPS if step in known)
