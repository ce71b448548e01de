"""Lays out what the first process needs on the disk: jars, binaries, keys, a formatted Kafka, a Postgres cluster."""

import os
import subprocess
from collections.abc import Callable

from deploy.local import jars, kafka, keys, postgres, unprivileged
from deploy.local.places import Places
from deploy.local.processes import Stack

Say = Callable[[str], None]


class PreparationError(RuntimeError):
    """Something could not be laid out; the message says what."""


def prepare(stack: Stack, say: Say) -> None:
    """Everything that a start needs on disk; what is there already is only checked."""
    places = stack.places
    places.make()
    class_path, postgres_jar = jars.this_machines_jars()
    paths = jars.ensure([*class_path, postgres_jar], places.cache / "jars", say)
    postgres.unpack(paths[-1], places.cache / "postgres")
    dsns = keys.ensure_dsns(places, stack.cluster())
    keys.ensure_sealing_keys(places)
    keys.ensure_installation_key(places)
    _format_kafka(stack, say)
    if postgres.initialise(stack.cluster(), keys.password_of(dsns[postgres.OWNER])):
        say("initialised PostgreSQL's data")
    write_env(stack)
    places.base_file.write_text(str(stack.ports.base))


def check_folder(places: Places) -> None:
    """Raise where PostgreSQL's user could not enter the checkout: said before anything is installed."""
    if not unprivileged.can_use(places.folder, unprivileged.launcher()):
        raise PreparationError(unprivileged.CLOSED_FOLDER.format(folder=places.root))


def check_keys(places: Places) -> None:
    """Raise where data are there and their keys are not: new keys would open nothing."""
    missing = keys.missing_keys(places) if (places.data / "postgres").exists() else []
    if missing:
        raise PreparationError(
            f"{', '.join(map(str, missing))}: missing or empty, but there are data that nothing else opens.\n"
            "Restore it from where you moved it or from a backup, or begin anew with `make reset`, "
            "which deletes every connection and credential."
        )


def write_env(stack: Stack) -> None:
    """Where the gateway, Kafka and Postgres are found; the token in the file stays."""
    reader = stack.places.keys / "clearline_reader.dsn"
    if not reader.exists():
        raise PreparationError(f"{reader} is missing: `make down`, then `make up` makes it anew")
    values = {
        "CLEARLINE_URL": f"http://127.0.0.1:{stack.ports.gateway}",
        "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{stack.ports.kafka}",
        "CLEARLINE_POSTGRES_DSN": reader.read_text(),
    }
    keys.update_env(stack.places.env_file, values)


def _format_kafka(stack: Stack, say: Say) -> None:
    broker = stack.broker()
    kafka.write_properties(broker)
    if kafka.is_formatted(broker):
        return
    command = kafka.format_command(broker, kafka.new_cluster_id(os.urandom(16)))
    done = subprocess.run(command, env=kafka.environment(), capture_output=True, text=True, check=False)  # noqa: S603 - our own Java
    if done.returncode != 0:
        raise PreparationError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")
    say("formatted Kafka's storage")
