"""The single record of what the local stack runs: command, settings (each its own and no others), port, order, stop."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import jars, kafka, postgres, unprivileged
from deploy.local.places import Places
from deploy.local.ports import Ports, last_base
from deploy.local.readiness import HttpAnswers, KafkaAnswers, PostgresAnswers, Readiness

# What any program needs from the user's shell; no CLEARLINE_ variable, no proxy, no Python or Java option.
_INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_RATE_LIMITS = tuple(f"CLEARLINE_RATE_LIMIT_{name}" for name in ("COMMANDS", "TESTS", "SIGN_INS"))
_TRACING = "OTEL_"  # the standard's own variables: where spans go, and which
_OUTBOUND = "127.0.0.0/8,::1/128"  # a stack for looking around: it may dial what runs on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process that runs until it is stopped."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    ready: Readiness
    after: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 25.0  # our services hand their work back within 20
    pid_file: Path | None = None  # one that outlives a kill -9 and then refuses the next start
    launcher: tuple[str, ...] = ()  # the part of the command that replaces itself by the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Work that is done once at each start, before what comes after it. Doing it twice changes nothing."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    after: tuple[str, ...] = ()


Process = Service | Step


@dataclass(frozen=True, slots=True)
class Stack:
    """What the record is made from."""

    places: Places
    ports: Ports
    surroundings: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def broker(self) -> kafka.Broker:
        class_path, _ = jars.this_machines_jars()
        paths = tuple(jar.path(self.places.cache / "jars") for jar in class_path)
        return kafka.Broker(self.places.data / "kafka", paths, self.ports.kafka, self.ports.kafka_controller, {})

    def cluster(self) -> postgres.Cluster:
        _, jar = jars.this_machines_jars()
        binaries = self.places.cache / "postgres" / jar.path(self.places.cache).stem
        before = tuple(unprivileged.launcher())
        return postgres.Cluster(binaries, self.places.data / "postgres", self.ports.postgres, before, {})


def processes(stack: Stack) -> tuple[Process, ...]:
    """All of them, in the order of starting; they stop in the reverse one."""
    return (
        _kafka(stack),
        _postgres(stack),
        _python(stack, "migrate", "gateway", "migrate", after=("postgres",), settings=_owner(stack)),
        _python(stack, "logins", "deploy.local", "set-passwords", after=("migrate",), settings=_owner(stack)),
        _python(stack, "topics", "gateway", "topics", after=("kafka",), settings=_kafka_settings(stack)),
        _gateway(stack),
        _projector(stack),
        _verifier(stack),
        _python(stack, "token", "deploy.local", "ensure-token", after=("gateway",), settings=_owner(stack)),
    )


def last_stack(places: Places) -> Stack:
    """The stack as it was started last, whatever the shell asks for now."""
    return Stack(places, Ports(last_base(places.base_file)))


def services(stack: Stack) -> tuple[Service, ...]:
    return tuple(each for each in processes(stack) if isinstance(each, Service))


def _kafka(stack: Stack) -> Service:
    broker = stack.broker()
    return Service(
        name="kafka",
        command=tuple(kafka.serve_command(broker)),
        environment=_inherited(stack),
        ports=(broker.port, broker.controller_port),
        ready=KafkaAnswers(broker.port),
    )


def _postgres(stack: Stack) -> Service:
    cluster = stack.cluster()
    return Service(
        name="postgres",
        command=tuple(postgres.serve_command(cluster)),
        environment=_inherited(stack),
        ports=(cluster.port,),
        ready=PostgresAnswers(cluster.port),
        stop_signal=signal.SIGINT,  # SIGTERM would wait for clients for ever
        pid_file=cluster.data / "postmaster.pid",
        launcher=cluster.before,
    )


def _gateway(stack: Stack) -> Service:
    settings = {
        **_kafka_settings(stack),
        "CLEARLINE_HTTP_PORT": str(stack.ports.gateway),
        "CLEARLINE_POSTGRES_DSN_FILE": _dsn(stack, "clearline_api"),
        "CLEARLINE_POSTGRES_RELAY_DSN_FILE": _dsn(stack, "clearline_relay"),
        "CLEARLINE_SEALING_PUBLIC_KEY_FILE": str(stack.places.keys / "sealing.pub"),
        "CLEARLINE_INSTALLATION_KEY_FILE": str(stack.places.keys / "installation"),
        **{name: value for each in _RATE_LIMITS for name, value in _from_shell(stack, each).items()},
        "CLEARLINE_OUTBOUND_ALLOW": stack.surroundings.get("CLEARLINE_OUTBOUND_ALLOW") or _OUTBOUND,
    }
    after = ("logins", "topics")
    return _service(stack, "gateway", "gateway", "serve", port=stack.ports.gateway, after=after, settings=settings)


def _projector(stack: Stack) -> Service:
    settings = {
        **_kafka_settings(stack),
        "CLEARLINE_OPS_PORT": str(stack.ports.projector),
        "CLEARLINE_POSTGRES_DSN_FILE": _dsn(stack, "clearline_projector"),
        "CLEARLINE_KAFKA_GROUP_INSTANCE_ID": "projector",  # a killed one is back at once, not after its session
        **_from_shell(stack, "CLEARLINE_VERIFICATION_VALIDITY"),
    }
    after = ("logins", "topics")
    return _service(
        stack, "projector", "gateway", "project", port=stack.ports.projector, after=after, settings=settings
    )


def _verifier(stack: Stack) -> Service:
    settings = {
        **_kafka_settings(stack),
        "CLEARLINE_OPS_PORT": str(stack.ports.verifier),
        "CLEARLINE_OUTBOUND_ALLOW": stack.surroundings.get("CLEARLINE_OUTBOUND_ALLOW") or _OUTBOUND,
        "CLEARLINE_SEALING_PRIVATE_KEYS_FILE": str(stack.places.keys / "sealing"),
        "CLEARLINE_KAFKA_GROUP_INSTANCE_ID": "verifier",
    }
    return _service(stack, "verifier", "verifier", port=stack.ports.verifier, after=("topics",), settings=settings)


def _service(
    stack: Stack, name: str, *module: str, port: int, after: tuple[str, ...], settings: dict[str, str]
) -> Service:
    return Service(
        name=name,
        command=(str(stack.places.python), "-m", *module),
        environment=_inherited(stack) | settings,
        ports=(port,),
        ready=HttpAnswers(port),
        after=after,
    )


def _python(stack: Stack, name: str, *module: str, after: tuple[str, ...], settings: dict[str, str]) -> Step:
    command = (str(stack.places.python), "-m", *module)
    return Step(name=name, command=command, environment=_inherited(stack) | settings, after=after)


def _inherited(stack: Stack) -> dict[str, str]:
    shell = stack.surroundings
    return {name: shell[name] for name in shell if name in _INHERITED or name.startswith(_TRACING)}


def _kafka_settings(stack: Stack) -> dict[str, str]:
    return {
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{stack.ports.kafka}",
        "CLEARLINE_INSTALLATION": "local",
        **_from_shell(stack, "CLEARLINE_LOG_LEVEL"),
    }


def _owner(stack: Stack) -> dict[str, str]:
    return {
        "CLEARLINE_POSTGRES_MIGRATE_DSN_FILE": _dsn(stack, postgres.OWNER),
        **_from_shell(stack, "CLEARLINE_LOG_LEVEL"),
    }


def _dsn(stack: Stack, login: str) -> str:
    return str(stack.places.keys / f"{login}.dsn")


def _from_shell(stack: Stack, name: str) -> dict[str, str]:
    """A setting that the user may change for a local stack."""
    return {name: value} if (value := stack.surroundings.get(name)) else {}
