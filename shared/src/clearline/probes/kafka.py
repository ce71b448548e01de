"""Kind `kafka`: a cluster that lets us in, allows each operation on each topic, and whose brokers can all be reached.

One bootstrap server is named, so that each rung has one place to fail; the others are found as every client finds them.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from clearline.catalogue import FieldError
from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Host, Line, Port, PrivateKey, Secret, refuse
from clearline.probes.kafka_ascent import authenticate, authorize, exercise
from clearline.probes.kafka_login import encrypt
from clearline.probes.probe import Credentials, Endpoint, Form, Kind, Permission
from clearline.probes.trust import authorities_digest, tls_allowed, tls_conflicts, tls_required

MAX_TOPIC = 249
"""Kafka's own limit: org.apache.kafka.common.internals.Topic."""

Operation = Literal["read", "write", "create", "delete", "alter", "describe", "describe_configs", "alter_configs"]


def _topic_name(text: str) -> str:
    plain = text.isascii() and all(character.isalnum() or character in "._-" for character in text)
    if not plain or text in {".", ".."}:
        raise refuse("FIELD_FORMAT", "Is no topic name; letters, digits, dot, underscore and dash make one.")
    return text


class TopicPermission(Form):
    """A topic, and what must be allowed on it."""

    topic: Annotated[Line, Field(title="Topic", max_length=MAX_TOPIC, examples=["orders"]), AfterValidator(_topic_name)]
    operations: Annotated[
        tuple[Operation, ...],
        Field(title="Operations", description="What must be allowed on the topic.", min_length=1, max_length=8),
    ] = ("describe",)


class KafkaConfig(Form):
    """Where the cluster begins, how to sign in, and what it must allow."""

    host: Annotated[
        Host,
        Field(
            description="Name or address of one bootstrap server; the cluster's other brokers are found through it.",
            examples=["kafka.example.com"],
        ),
    ]
    port: Annotated[Port, Field(description="Port of the bootstrap server.")] = 9092
    tls: Annotated[
        Literal["disable", "require", "verify-full"],
        Field(title="Encryption", description="require: whoever answers. verify-full: only the right servers."),
    ] = "disable"
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None
    sasl_mechanism: Annotated[
        Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Field(
            title="Signing in",
            description="PLAIN sends the password, SCRAM only a proof. none: by certificate, or not.",
        ),
    ] = "none"
    user: Annotated[Line | None, Field(title="User", description="Needed with every way of signing in.")] = None
    topic_permissions: Annotated[
        tuple[TopicPermission, ...],
        Field(
            title="Topics",
            description="Topics that must exist, and what must be allowed on each; none of it is tried.",
            max_length=20,
            examples=[[{"topic": "orders", "operations": ["read", "write"]}]],
        ),
    ] = ()
    consumer_group: Annotated[
        Line | None,
        Field(
            title="Consumer group",
            description="Group with which it must be allowed to read; it is not joined.",
            examples=["order-service"],
        ),
    ] = None


class KafkaCredentials(Credentials):
    """The user's password, where the config signs in with one, and the key of a client certificate."""

    password: Annotated[Secret | None, Field(title="Password", description="Needed to sign in as a user.")] = None
    client_key: PrivateKey | None = None


def endpoint(config: KafkaConfig) -> Endpoint:
    """Where it dials first."""
    return Endpoint(host=canonical_host(config.host), port=config.port)


def destination(config: KafkaConfig) -> str:
    """Server, encryption, whose certificates are believed, and whether the password itself is sent."""
    trusted = f"&ca={authorities_digest(config.ca_certificate)}" if config.tls == "verify-full" else ""
    where = f"kafka://{canonical_host(config.host)}:{config.port}"
    return f"{where}?tls={config.tls}{trusted}&sasl={config.sasl_mechanism}"


def conflicts(config: KafkaConfig, credentials: KafkaCredentials, now: datetime | None) -> Iterator[FieldError]:
    """A user and a way of signing in need each other; a topic is listed once."""
    yield from tls_conflicts(config, credentials, now)
    if config.sasl_mechanism == "none" and config.user:
        yield FieldError("/config/sasl_mechanism", "FIELD_REQUIRED", "Choose how the user signs in.")
    if config.sasl_mechanism != "none" and not config.user:
        yield FieldError("/config/user", "FIELD_REQUIRED", "Is needed to sign in.")
    names = [one.topic for one in config.topic_permissions]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield FieldError(f"/config/topic_permissions/{index}/topic", "FIELD_FORMAT", "Is listed already.")


def _password(config: KafkaConfig) -> frozenset[str]:
    return frozenset() if config.sasl_mechanism == "none" else frozenset({"password"})


KAFKA = Kind(
    name="kafka",
    title="Apache Kafka",
    description="Signs in to a Kafka cluster, checks each permission on its own and reaches the brokers it announces.",
    config=KafkaConfig,
    credentials=KafkaCredentials,
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda config: tls_required(config) | _password(config),
    allowed_credentials=lambda config: tls_allowed(config) | _password(config),
    conflicts=conflicts,
    permissions=(
        Permission("topics", "Each named operation on each named topic, as the cluster itself tells it."),
        Permission("group", "READ on the consumer group, where one is named."),
    ),
)
