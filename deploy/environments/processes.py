"""Which settings each process reads, and what differs between the environments: the source of their files."""

from collections.abc import Mapping

from clearline.chassis.settings import KafkaSettings, Settings
from clearline.chassis.settings_render import SettingDoc
from gateway.settings import MigrateSettings, ProjectSettings, RepublishSettings, ServeSettings, TopicsSettings
from verifier.settings import VerifierSettings

PROCESSES: Mapping[str, tuple[type[Settings], ...]] = {
    "gateway serve": (ServeSettings, KafkaSettings),
    "gateway project": (ProjectSettings, KafkaSettings),
    "gateway migrate": (MigrateSettings,),
    "gateway topics": (TopicsSettings,),
    "gateway republish": (RepublishSettings,),
    "verifier": (VerifierSettings, KafkaSettings),
}

COMING = (
    SettingDoc(
        variable="DIAGNOSTICS_BUCKET",
        description="Where diagnostics keep their evidence: a folder, or the URL of an object store.",
        example=".clearline/evidence",
        default=None,
        required=True,
        secret=False,
    ),
)
"""Named already, so that platforms can provide them; read by services that come later."""


def _hosted(environment: str) -> dict[str, str]:
    host = f"{environment}.example.com"
    return {
        "CLEARLINE_INSTALLATION": environment,
        "CLEARLINE_HTTP_HOST": "0.0.0.0",  # noqa: S104 - inside a container; its network decides who reaches it
        "CLEARLINE_OPS_HOST": "0.0.0.0",  # noqa: S104 - the same
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": f"kafka-1.{host}:9093,kafka-2.{host}:9093,kafka-3.{host}:9093",
        "CLEARLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "CLEARLINE_KAFKA_SECURITY_SASL_USERNAME": "clearline",
        "CLEARLINE_KAFKA_SECURITY_SASL_PASSWORD": "change-me",
        "CLEARLINE_KAFKA_REPLICATION_FACTOR": "3",
        "DIAGNOSTICS_BUCKET": f"s3://clearline-evidence-{environment}",
    }


ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "development": {
        "CLEARLINE_INSTALLATION": "development",
        "CLEARLINE_LOG_LEVEL": "DEBUG",
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:8090",
        "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8,::1/128",
    },
    "staging": _hosted("staging"),
    "production": _hosted("production"),
}
"""Environment → variable → value; what is not here keeps its default, or its example where it must be set."""

POSTGRES_HOSTS: Mapping[str, str] = {
    "development": "127.0.0.1:8092",
    "staging": "postgres.staging.example.com:5432",
    "production": "postgres.production.example.com:5432",
}
EXAMPLE_POSTGRES_HOST = "127.0.0.1:5432"
"""What the examples of the settings classes name."""
