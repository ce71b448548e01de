"""A real Kafka broker that asks who comes and what they may: SASL, TLS, client certificates, ACLs, and lying listeners.

No pytest in here: the table of verification uses it too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import CreateAclsRequest
from deploy.local import jars, kafka
from tests.harness.authority import Authority
from tests.harness.kafka import TEST_PROPERTIES, KafkaServer
from tests.harness.places import JAR_CACHE, free_ports

_SECURITY = "org.apache.kafka.common.security"
LISTENERS: Mapping[str, str] = {
    "PLAINTEXT": "PLAINTEXT",  # for setting things up: whoever comes there may do everything
    "OPEN": "SASL_PLAINTEXT",
    "SECURE": "SASL_SSL",
    "MUTUAL": "SSL",
    "ELSEWHERE": "PLAINTEXT",
    "NAMELESS": "PLAINTEXT",
    "DEAF": "PLAINTEXT",
    "MISNAMED": "SSL",
}
"""The last four announce another address than their own."""
TOPIC, GROUP = 2, 3
READ, WRITE, DESCRIBE = 3, 4, 8
"""org.apache.kafka.common.resource.ResourceType, acl.AclOperation."""
_LITERAL, _ALLOW = 3, 3


@dataclass(frozen=True, slots=True)
class Right:
    """One entry of the broker's list."""

    principal: str
    kind: int
    name: str
    operation: int


def secured_kafka(
    folder: Path, authority: Authority, users: Mapping[str, str], lies: Mapping[str, str]
) -> tuple[KafkaServer, dict[str, int]]:
    """A broker for `localhost`, and the port of each listener. `lies`: what it announces instead."""
    class_path, _ = jars.this_machines_jars()
    controller, *ports = free_ports(len(LISTENERS) + 1)
    listening = dict(zip(LISTENERS, ports, strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    extra = {
        **TEST_PROPERTIES,
        **_listeners(listening, controller, lies),
        **_encryption(folder, authority),
        **_signing_in(users),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
        "auto.create.topics.enable": "true",  # a probe that is not careful leaves topics behind
    }
    paths = tuple(jars.ensure(class_path, JAR_CACHE))
    broker = kafka.Broker(folder, paths, listening["PLAINTEXT"], controller, extra)
    return KafkaServer(broker, tuple(_with_scram(users))), listening


async def allow(port: int, rights: Iterable[Right]) -> None:
    """Add to the broker's list; aiokafka's admin client has no method for it."""
    connection = await create_conn("127.0.0.1", port)
    try:
        for right in rights:
            literal = (right.kind, right.name, _LITERAL, right.principal, "*", right.operation, _ALLOW)
            answer = await connection.send(CreateAclsRequest(*literal))
            [(error, why)] = answer.creation_responses
            assert error == 0, why
    finally:
        await connection.close()


def _listeners(ports: Mapping[str, int], controller: int, lies: Mapping[str, str]) -> dict[str, str]:
    listening = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    announced = [f"{name}://{lies.get(name, 'localhost:{port}').format(port=port)}" for name, port in ports.items()]
    protocols = [f"{name}:{protocol}" for name, protocol in LISTENERS.items()]
    return {
        "listeners": ",".join([*listening, f"CONTROLLER://127.0.0.1:{controller}"]),
        "advertised.listeners": ",".join(announced),
        "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        "inter.broker.listener.name": "PLAINTEXT",
    }


def _encryption(folder: Path, authority: Authority) -> dict[str, str]:
    issued = authority.issue("localhost")
    keys, trusted = folder / "server.pem", folder / "clients.pem"
    keys.touch(mode=0o600)
    keys.write_text(issued.key + issued.certificate)
    trusted.write_text(authority.pem)
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trusted),
        "listener.name.mutual.ssl.client.auth": "required",
    }


def _signing_in(users: Mapping[str, str]) -> dict[str, str]:
    known = " ".join(f'user_{user}="{password}"' for user, password in users.items())
    plain = f"{_SECURITY}.plain.PlainLoginModule required {known};"
    scram = f"{_SECURITY}.scram.ScramLoginModule required;"
    return {
        f"listener.name.{name}.{setting}": value
        for name in ("open", "secure")
        for setting, value in (
            (
                "sasl.enabled.mechanisms",
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" if name == "open" else "SCRAM-SHA-256,PLAIN",
            ),
            ("plain.sasl.jaas.config", plain),
            ("scram-sha-256.sasl.jaas.config", scram),
            ("scram-sha-512.sasl.jaas.config", scram),
        )
    }


def _with_scram(users: Mapping[str, str]) -> Iterable[str]:
    for user, password in users.items():
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            yield f"--add-scram={mechanism}=[name={user},password={password}]"
