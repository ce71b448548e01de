"""Kafka in every state that a verification must tell apart, each as a filled-in form; for tests and for the table.

async with kafka_stand(folder) as stand:
    config, credentials = stand.cases["wrong credentials"]
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.authority import Authority
from tests.harness.kafka import KafkaServer, create_topic
from tests.harness.kafka_secured import DESCRIBE, GROUP, READ, TOPIC, WRITE, Right, allow, secured_kafka
from tests.harness.nowhere import unanswered
from tests.harness.places import free_ports
from tests.harness.signing_in import PASSWORD, USER, Form, cases

from clearline.testing.hostile_servers import Listening, closing, serving

CERTIFIED = "clearline"
RIGHTS = (
    Right(f"User:{USER}", TOPIC, "orders", READ),
    Right(f"User:{USER}", TOPIC, "orders", WRITE),
    Right(f"User:{USER}", TOPIC, "not-there", DESCRIBE),
    Right(f"User:{USER}", GROUP, "order-service", READ),
    Right(f"User:{USER}", GROUP, "lookers", DESCRIBE),
    Right(f"User:CN={CERTIFIED}", TOPIC, "orders", READ),
)


@dataclass(frozen=True, slots=True)
class KafkaStand:
    """One broker with eight listeners, the topics `orders` and `secrets`, and RIGHTS."""

    authority: Authority
    server: KafkaServer
    ports: Mapping[str, int]
    canary: Listening
    """What the listener ELSEWHERE announces: an address that no test allows."""
    closed_port: int
    silent_port: int

    def form(self, mechanism: str = "SCRAM-SHA-256", **changed: Any) -> Form:
        """A good form of the listener with SASL and without TLS."""
        config = {"host": "localhost", "port": self.ports["OPEN"], "sasl_mechanism": mechanism, "user": USER}
        return config | changed, {"password": PASSWORD}

    def encrypted(self, mechanism: str = "SCRAM-SHA-256", **changed: Any) -> Form:
        """A good form of the listener with SASL and TLS."""
        tls = {"port": self.ports["SECURE"], "tls": "verify-full", "ca_certificate": self.authority.pem}
        return self.form(mechanism, **(tls | changed))

    def with_certificate(self, issued_by: Authority, **changed: Any) -> Form:
        """A form of the listener that wants a certificate, with one."""
        issued = issued_by.issue(CERTIFIED)
        tls = {"tls": "verify-full", "ca_certificate": self.authority.pem, "client_certificate": issued.certificate}
        return {"host": "localhost", "port": self.ports["MUTUAL"]} | tls | changed, {"client_key": issued.key}

    def unsecured(self, listener: str, **changed: Any) -> Form:
        """A form of a listener without SASL and TLS."""
        return {"host": "localhost", "port": self.ports[listener]} | changed, {}

    @property
    def cases(self) -> Mapping[str, Form]:
        """The columns of the table of verification, and what only Kafka has."""
        rights = [{"topic": "orders", "operations": ["read", "write"]}]
        more = [{"topic": "orders", "operations": ["read", "alter"]}]
        usual = cases(
            self.encrypted(topic_permissions=rights, consumer_group="order-service"),
            missing={"topic_permissions": more},
            unencrypted_port=self.ports["OPEN"],
            closed_port=self.closed_port,
            silent=self.form(port=self.silent_port, host="127.0.0.1"),
        )
        return usual | {
            "forbidden second broker": self.unsecured("ELSEWHERE"),
            "unreachable second broker": self.unsecured("DEAF"),
        }


@asynccontextmanager
async def kafka_stand(folder: Path) -> AsyncIterator[KafkaStand]:
    """Everything, until the block ends; it starts in some 5 s."""
    authority = Authority()
    [canary_port] = free_ports(1)
    async with (
        serving(closing, host="127.0.0.2", port=canary_port) as canary,
        unanswered() as (closed_port, silent_port),
    ):
        lies = {
            "ELSEWHERE": f"127.0.0.2:{canary.port}",
            "NAMELESS": "kafka-2.no-such-host.invalid:9092",
            "DEAF": f"127.0.0.1:{closed_port}",
            "MISNAMED": "127.0.0.1:{port}",  # its own, by an address that its certificate does not name
        }
        server, ports = secured_kafka(folder, authority, {USER: PASSWORD}, lies)
        await server.start()
        try:
            await create_topic(server.bootstrap, "orders", partitions=3)
            await create_topic(server.bootstrap, "secrets")
            await allow(ports["PLAINTEXT"], RIGHTS)
            yield KafkaStand(authority, server, ports, canary, closed_port, silent_port)
        finally:
            await server.stop()
