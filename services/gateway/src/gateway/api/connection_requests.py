"""What is sent to configure a connection."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from clearline.probes.beats import BeatDraft
from gateway.api.paging import Paging
from gateway.api.values import Environment, HealthStatus, Lifecycle, Request, Text, VerificationStatus
from gateway.commands.create_connection import CreateConnection

MAX_REVISION = 2**31 - 1  # what its column holds
Name = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 100}, examples=["warehouse"])]
Owner = Annotated[
    str,
    Field(
        json_schema_extra={"maxLength": 63},
        description="One word: whom a page about this connection goes to.",
        examples=["data-team"],
    ),
]
Config = Annotated[
    dict[str, Any],
    Field(
        repr=False,
        description="The kind's public config; its JSON Schema is at /connection-kinds/{kind}.",
        examples=[{"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"}],
    ),
]
Credentials = Annotated[
    dict[str, Any],
    Field(
        repr=False,
        description="Field → secret. A text replaces, null removes; left out, or sent as it was read, it stays.",
        examples=[{"password": "correct horse"}],
    ),
]


class BeatRequest(Request):
    """How often to ask; interval 5 s to a day, timeout at most the interval (by default 10 s or the interval)."""

    interval_seconds: int = Field(default=30, json_schema_extra={"minimum": 5, "maximum": 86_400})
    timeout_seconds: int | None = None
    failure_threshold: int = Field(default=2, json_schema_extra={"minimum": 1, "maximum": 100})
    recovery_threshold: int = Field(default=2, json_schema_extra={"minimum": 1, "maximum": 100})
    degraded_after_ms: int | None = None

    def draft(self) -> BeatDraft:
        """The same, for the command."""
        return BeatDraft(**self.model_dump())


class CreateConnectionRequest(Request):
    """A new connection."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "warehouse",
                "environment": "development",
                "owner": "data-team",
                "kind": "postgres",
                "config": {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"},
                "credentials": {"password": "correct horse"},
            }
        }
    )

    name: Name
    environment: Environment
    owner: Owner | None = None
    kind: str = Field(max_length=63, examples=["postgres"])
    config: Config
    credentials: Credentials = Field(default_factory=dict)
    beat: BeatRequest | None = None

    def command(self) -> CreateConnection:
        """The use case that this asks for."""
        return CreateConnection(
            name=self.name,
            environment=self.environment,
            owner=self.owner,
            kind=self.kind,
            config=self.config,
            credentials=self.credentials,
            beat=None if self.beat is None else self.beat.draft(),
        )


class EditConnectionRequest(Request):
    """A change; what is left out stays as it is. Kind and environment may be said, but never change."""

    name: Name = Field(default="")
    environment: Environment | None = None
    owner: Owner | None = None
    kind: str | None = Field(default=None, max_length=63)
    config: Config = Field(default_factory=dict)
    credentials: Credentials = Field(default_factory=dict)
    beat: BeatRequest | None = None


class RevisionRequest(Request):
    """Which revision is meant; the newest if none is named."""

    revision: int | None = Field(default=None, ge=1, le=MAX_REVISION, examples=[2])


class ConnectionFilters(Paging):
    """Query of the list of connections. Retired ones are shown only where `lifecycle` asks for them."""

    environment: Environment | None = None
    kind: Text | None = None
    lifecycle: Lifecycle | None = None
    health: HealthStatus | None = None
    verification: VerificationStatus | None = None
    name: Text | None = Field(default=None, description="The exact name.")
