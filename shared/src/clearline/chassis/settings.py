"""The settings that every process has, and the one place from which a service takes what its own settings need."""

import ssl
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from clearline.chassis.environment import CommaSeparated, Duration, Settings, Variable, WrongSettings, load, read

__all__ = [
    "CommaSeparated",
    "Duration",
    "KafkaSettings",
    "ProcessSettings",
    "Settings",
    "Variable",
    "WrongSettings",
    "load",
    "read",
]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
MAX_PORT = 65535


class ProcessSettings(Settings):
    """Who this process is, how it logs and where its metrics and health are read."""

    installation: str = Field(
        default="local",
        min_length=1,
        max_length=63,
        description="Name of this installation; a label in every log line and metric.",
        examples=["production-eu"],
    )
    log_level: LogLevel = Field(
        default="INFO",
        description="Least severe level that is logged: DEBUG, INFO, WARNING or ERROR.",
        examples=["INFO"],
    )
    otel_exporter_otlp_endpoint: Annotated[str | None, Variable("OTEL_EXPORTER_OTLP_ENDPOINT")] = Field(
        default=None,
        pattern="^https?://",
        description="Collector that takes spans by OTLP over HTTP; unset, none are made. The standard's other OTEL_ "
        "variables hold too.",
        examples=["http://otel-collector:4318"],
    )
    ops_host: str = Field(
        default="127.0.0.1",
        description="Address on which /metrics and /health are served; 0.0.0.0 inside a container.",
        examples=["127.0.0.1"],
    )
    ops_port: int = Field(
        default=8082,
        ge=0,
        le=MAX_PORT,
        description="Port on which /metrics and /health are served; 0 takes any free one.",
        examples=["8082"],
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, level: Any) -> Any:
        return level.upper() if isinstance(level, str) else level


class KafkaSettings(Settings):
    """How to reach Kafka. Group and time limits are the same for every consumer, so they live here too."""

    prefix: ClassVar[str] = "CLEARLINE_KAFKA_"

    bootstrap_servers: CommaSeparated = Field(
        min_length=1,
        description="Kafka brokers to start from, host:port, comma-separated.",
        examples=["127.0.0.1:9092"],
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to speak to the brokers.", examples=["SASL_SSL"]
    )
    security_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512",
        description="How to prove who we are where the protocol is SASL_….",
        examples=["SCRAM-SHA-512"],
    )
    security_sasl_username: str | None = Field(
        default=None, description="User name for SASL_….", examples=["clearline"]
    )
    security_sasl_password: SecretStr | None = Field(
        default=None, description="Password for SASL_…; better by a file.", examples=["change-me"]
    )
    security_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the brokers' certificates; unset: the system's.",
        examples=["/etc/clearline/kafka-ca.pem"],
    )
    replication_factor: int = Field(
        default=-1, ge=-1, description="Copies of each topic we create; -1 is the broker's default.", examples=["3"]
    )
    session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=300_000,
        description="Silence after which a group takes a member's partitions away.",
        examples=["10000"],
    )
    group_instance_id: str | None = Field(
        default=None,
        description="Stable member name where pods have one, so that a restart moves no partitions.",
        examples=["verifier-0"],
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            host, colon, port = server.rpartition(":")
            if not (host and colon and port.isdigit() and 0 < int(port) <= MAX_PORT):
                raise ValueError(f"{server[:100]!r} is not host:port")
        return servers

    @field_validator("security_ca_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"{path} is not a file that can be read")
        return path

    @model_validator(mode="after")
    def _credentials_where_needed(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (
            self.security_sasl_username and self.security_sasl_password
        ):
            raise ValueError(
                f"CLEARLINE_KAFKA_SECURITY_PROTOCOL is {self.security_protocol}: set "
                "CLEARLINE_KAFKA_SECURITY_SASL_USERNAME and CLEARLINE_KAFKA_SECURITY_SASL_PASSWORD too"
            )
        return self

    def client_options(self) -> dict[str, Any]:
        """What every aiokafka client is built with."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.security_ca_file)
        if self.security_protocol.startswith("SASL"):
            assert self.security_sasl_password is not None
            options["sasl_mechanism"] = self.security_sasl_mechanism
            options["sasl_plain_username"] = self.security_sasl_username
            options["sasl_plain_password"] = self.security_sasl_password.get_secret_value()
        return options
