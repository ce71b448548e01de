"""Settings: from variables and files, and a message for a person when one is wrong."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from clearline.chassis.settings import (
    CommaSeparated,
    Duration,
    KafkaSettings,
    ProcessSettings,
    Settings,
    Variable,
    WrongSettings,
    load,
    read,
)
from clearline.chassis.settings_render import describe

SERVERS = {"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": "a:1, b:2"}


class Own(Settings):
    postgres_dsn: SecretStr = Field(description="Where.", examples=["postgresql://clearline@db/clearline"])
    validity: Duration = Field(default=timedelta(hours=24), description="How long.", examples=["24h"])
    allow: CommaSeparated = Field(default=(), description="Which.", examples=["10.0.0.0/8"])
    bucket: Annotated[str, Variable("DIAGNOSTICS_BUCKET")] = Field(
        default="x", description="Bucket.", examples=["s3://b"]
    )


def test_values_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://u:hunter2@h/d\n")
    own = read(
        Own,
        {
            "CLEARLINE_POSTGRES_DSN_FILE": str(tmp_path / "dsn"),
            "CLEARLINE_VALIDITY": "90s",
            "CLEARLINE_ALLOW": "10.0.0.0/8, ::1/128,",
            "DIAGNOSTICS_BUCKET": "s3://evidence",
            "CLEARLINE_UNRELATED": "is somebody else's",
        },
    )
    assert own.postgres_dsn.get_secret_value() == "postgresql://u:hunter2@h/d"
    assert own.validity == timedelta(seconds=90)
    assert own.allow == ("10.0.0.0/8", "::1/128")
    assert own.bucket == "s3://evidence"
    assert "hunter2" not in repr(own)


def test_every_problem_is_told_at_once_with_variable_meaning_and_example() -> None:
    with pytest.raises(WrongSettings) as caught:
        read(Own, {"CLEARLINE_VALIDITY": "soon"})
    message = str(caught.value)
    assert "CLEARLINE_POSTGRES_DSN: is not set." in message
    assert "CLEARLINE_POSTGRES_DSN=postgresql://clearline@db/clearline" in message
    assert "CLEARLINE_VALIDITY: is not a length of time" in message


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS: is not set"),
        ({"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": ""}, "is not set"),
        ({"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": "localhost"}, "'localhost' is not host:port"),
        ({"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": "h:70000"}, "is not host:port"),
        ({**SERVERS, "CLEARLINE_KAFKA_SECURITY_PROTOCOL": "TLS"}, "CLEARLINE_KAFKA_SECURITY_PROTOCOL"),
        ({**SERVERS, "CLEARLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "CLEARLINE_KAFKA_SECURITY_SASL_USERNAME"),
        ({**SERVERS, "CLEARLINE_KAFKA_SECURITY_CA_FILE": "/no/such"}, "/no/such is not a file"),
        ({"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS_FILE": "/no/such"}, "BOOTSTRAP_SERVERS_FILE names, /no/such"),
        ({**SERVERS, "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS_FILE": "/x"}, "is set twice"),
    ],
)
def test_a_wrong_kafka_setting_names_itself(environ: dict[str, str], said: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        read(KafkaSettings, environ)
    assert said in str(caught.value)


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    class Narrow(Settings):
        token: SecretStr = Field(min_length=40, description="A token.", examples=["…"])

    (tmp_path / "t").write_text("hunter2-hunter2")
    with pytest.raises(WrongSettings) as caught:
        read(Narrow, {"CLEARLINE_TOKEN_FILE": str(tmp_path / "t")})
    assert "CLEARLINE_TOKEN" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_start_with_wrong_settings_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load(ProcessSettings, {"CLEARLINE_OPS_PORT": "70000", "CLEARLINE_LOG_LEVEL": "loud"})
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "CLEARLINE_OPS_PORT" in said
    assert "CLEARLINE_LOG_LEVEL" in said
    assert "Traceback" not in said


def test_sasl_and_tls_reach_the_client() -> None:
    settings = read(
        KafkaSettings,
        {
            **SERVERS,
            "CLEARLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "CLEARLINE_KAFKA_SECURITY_SASL_USERNAME": "u",
            "CLEARLINE_KAFKA_SECURITY_SASL_PASSWORD": "hunter2",
        },
    )
    options = settings.client_options()
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["sasl_plain_password"] == "hunter2"
    assert options["ssl_context"].check_hostname
    assert "hunter2" not in repr(settings)


def test_settings_are_told_for_rendering() -> None:
    docs = {doc.variable: doc for doc in describe([Own, ProcessSettings, KafkaSettings, Own])}
    assert docs["CLEARLINE_POSTGRES_DSN"].required
    assert docs["CLEARLINE_POSTGRES_DSN"].secret
    assert docs["DIAGNOSTICS_BUCKET"].default == "x"
    assert docs["CLEARLINE_KAFKA_SECURITY_SASL_PASSWORD"].secret
    assert docs["CLEARLINE_KAFKA_SECURITY_SASL_PASSWORD"].default is None
    assert docs["CLEARLINE_LOG_LEVEL"].default == "INFO"
    assert all(doc.description and doc.example for doc in docs.values())
