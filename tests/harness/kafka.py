"""A real Apache Kafka broker of one's own, for tests: quick timeouts, a temporary folder, faults on demand."""

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from deploy.local import jars, kafka, readiness
from deploy.local.readiness import KafkaAnswers
from tests.harness.places import JAR_CACHE, free_ports
from tests.harness.process import ServerFailedError, ServerProcess
from tests.harness.waiting import until

# Tests must not wait for defaults made for data centres.
TEST_PROPERTIES = {
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
}


@dataclass(slots=True)
class KafkaServer:
    """One broker process. `bootstrap` stays the same across restarts; data survives kill and stop."""

    broker: kafka.Broker
    format_options: tuple[str, ...] = ()
    """For the first start, such as users: `--add-scram=…`."""
    _process: ServerProcess = field(init=False)

    def __post_init__(self) -> None:
        self._process = ServerProcess(
            name="kafka",
            command=kafka.serve_command(self.broker),
            environment=kafka.environment(),
            log=self.broker.folder / "kafka.log",
            is_ready=self._answers,
        )

    @classmethod
    def in_folder(cls, folder: Path) -> "KafkaServer":
        """A broker on free ports whose data lies in `folder`; call `start`."""
        class_path, _ = jars.this_machines_jars()
        port, controller_port = free_ports(2)
        paths = tuple(jars.ensure(class_path, JAR_CACHE))
        return cls(kafka.Broker(folder, paths, port, controller_port, TEST_PROPERTIES))

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """Format on the first start, start, wait until it answers metadata requests."""
        if not kafka.is_formatted(self.broker):
            await self._format()
        await self._process.start()

    async def stop(self) -> None:
        """SIGTERM: an orderly end."""
        await self._process.stop()

    async def kill(self) -> None:
        """SIGKILL; `start` brings it back in 3 to 5 s."""
        await self._process.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def lose_everything(self) -> None:
        """Stop, forget all data, start again on the same port: another cluster, without topics."""
        await self.stop()
        shutil.rmtree(self.broker.folder)
        await self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def _format(self) -> None:
        kafka.write_properties(self.broker)
        command = [*kafka.format_command(self.broker, kafka.new_cluster_id(os.urandom(16))), *self.format_options]
        child = await asyncio.create_subprocess_exec(
            *command,
            env=kafka.environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            raise ServerFailedError(f"formatting Kafka's storage failed:\n{output.decode()}")

    async def _answers(self) -> bool:
        return await readiness.answers(KafkaAnswers(self.broker.port))


async def answers(bootstrap: str) -> bool:
    """Whether a broker answers a metadata request."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await client.bootstrap()
    except (KafkaError, OSError):
        return False
    else:
        return True
    finally:
        await client.close()


async def create_topic(bootstrap: str, name: str, *, partitions: int = 1, **config: str) -> str:
    """Create a topic (settings as in `cleanup_policy="compact"`), wait until it has leaders, return its name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {key.replace("_", "."): value for key, value in config.items()}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        await until(lambda: _has_leaders(admin, name, partitions), within=15)
    finally:
        await admin.close()
    return name


async def _has_leaders(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    described = await admin.describe_topics([name])
    found = described[0]["partitions"] if described else []
    return len(found) == partitions and all(row["leader"] >= 0 for row in found)
