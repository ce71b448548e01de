"""What each of the gateway's processes is told by its environment, and nothing that it does not need."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr

from clearline.chassis.environment import CommaSeparated, Duration, Settings
from clearline.chassis.settings import MAX_PORT, KafkaSettings, ProcessSettings

Dsn = Annotated[SecretStr, Field(min_length=1)]
InstallationKey = Annotated[SecretStr, Field(min_length=32)]


class ServeSettings(ProcessSettings):
    """`gateway serve`: HTTP, outbox relay, clock. Kafka's settings are read beside these."""

    http_host: str = Field(
        default="127.0.0.1",
        description="Address that the API listens on; 0.0.0.0 inside a container.",
        examples=["127.0.0.1"],
    )
    http_port: int = Field(default=8080, ge=0, le=MAX_PORT, description="Port of the API.", examples=["8080"])
    postgres_dsn: Dsn = Field(
        description="PostgreSQL as the login clearline_api: requests.",
        examples=["postgresql://clearline_api:change-me@127.0.0.1:5432/clearline"],
    )
    postgres_relay_dsn: Dsn = Field(
        description="PostgreSQL as the login clearline_relay: outbox relay and clock.",
        examples=["postgresql://clearline_relay:change-me@127.0.0.1:5432/clearline"],
    )
    postgres_pool_size: int = Field(
        default=10, ge=2, le=200, description="Most connections to PostgreSQL for requests.", examples=["10"]
    )
    sealing_public_key: str = Field(
        min_length=1,
        description="Public key that credentials are sealed under; the verifier holds its private half.",
        examples=["base64url-of-32-bytes"],
    )
    installation_key: InstallationKey = Field(
        description="A secret that all gateways share; repeated requests are recognised under it.",
        examples=["change-me-to-32-random-characters"],
    )
    rate_limit_commands: int = Field(
        default=600, ge=1, le=1_000_000, description="Commands a minute and token, in each gateway.", examples=["600"]
    )
    rate_limit_tests: int = Field(
        default=60,
        ge=1,
        le=1_000_000,
        description="Unsaved tests a minute and token, in each gateway.",
        examples=["60"],
    )
    rate_limit_sign_ins: int = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="Failed sign-ins a minute and address, in each gateway.",
        examples=["10"],
    )
    trusted_proxies: CommaSeparated = Field(
        default=(),
        description="Networks (CIDR) of proxies whose X-Forwarded-For is believed; none if empty.",
        examples=["10.0.0.0/24"],
    )
    outbound_allow: CommaSeparated = Field(
        default=(),
        description="Networks (CIDR, comma-separated) that may be dialled although they are private.",
        examples=["10.20.0.0/16,192.0.2.7/32"],
    )
    outbox_limit: int = Field(
        default=100_000,
        ge=1,
        description="Events that may wait for Kafka; past it commands are answered 503, past half `republish` waits.",
        examples=["100000"],
    )
    clock_interval: Duration = Field(
        default=timedelta(seconds=10),
        ge=timedelta(milliseconds=100),
        description="How often the clock looks for what is due, give or take a fifth.",
        examples=["10s"],
    )


class ProjectSettings(ProcessSettings):
    """`gateway project`: facts from Kafka into the read models. Kafka's settings are read beside these."""

    postgres_dsn: Dsn = Field(
        description="PostgreSQL as the login clearline_projector.",
        examples=["postgresql://clearline_projector:change-me@127.0.0.1:5432/clearline"],
    )
    verification_validity: Duration = Field(
        default=timedelta(hours=24),
        gt=timedelta(0),
        description="How long a successful verification allows activation.",
        examples=["24h"],
    )


class RepublishSettings(Settings):
    """`gateway republish`: the projector's login, and how much may wait for Kafka."""

    postgres_dsn: Dsn = Field(
        description="PostgreSQL as the login clearline_projector.",
        examples=["postgresql://clearline_projector:change-me@127.0.0.1:5432/clearline"],
    )
    outbox_limit: int = Field(
        default=100_000,
        ge=1,
        description="Events that may wait for Kafka; past it commands are answered 503, past half `republish` waits.",
        examples=["100000"],
    )


class MigrateSettings(Settings):
    """`gateway migrate`, `token` and `parked`: the owner of the schema, and nothing else."""

    postgres_migrate_dsn: Dsn = Field(
        description="PostgreSQL as the owner of the schema.",
        examples=["postgresql://clearline:change-me@127.0.0.1:5432/clearline"],
    )


class TopicsSettings(KafkaSettings):
    """`gateway topics`: Kafka alone."""
