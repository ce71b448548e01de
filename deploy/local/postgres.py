"""How PostgreSQL is unpacked, initialised and started from the binaries in one jar."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from deploy.local.unprivileged import NOBODY, give_to_nobody

OWNER = "clearline"
DATABASE = "clearline"


class InitdbError(RuntimeError):
    """initdb could not make the cluster; its output says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL cluster: binaries, data, loopback port, and what goes before its commands not to run as root."""

    binaries: Path
    data: Path
    port: int
    before: tuple[str, ...]
    extra: Mapping[str, str]

    @property
    def is_nobodys(self) -> bool:
        """Root without user namespaces: the real nobody owns the data."""
        return bool(self.before) and self.before[-1] == "nobody"

    def dsn(self, password: str, *, user: str = OWNER, database: str = DATABASE) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


def unpack(jar: Path, folder: Path) -> Path:
    """Unpack the archive inside the jar once; the stamp is the jar's size and name, written by the last rename."""
    target = folder / jar.stem
    if target.is_dir():
        return target
    unfinished = folder / f"{jar.stem}.{os.getpid()}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    with zipfile.ZipFile(jar) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".txz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name)), mode="r:xz") as inner:
            if hasattr(tarfile, "tar_filter"):  # Debian 12 has Python 3.11.2; filters came with 3.11.4
                inner.extraction_filter = tarfile.tar_filter
            inner.extractall(unfinished)  # noqa: S202 - its checksum was verified
    try:
        unfinished.rename(target)
    except OSError:  # somebody else was quicker
        shutil.rmtree(unfinished)
    return target


def initialise(cluster: Cluster, password: str) -> bool:
    """Run initdb once, beside the final place: an interrupted one leaves what looks finished. True if it ran."""
    if cluster.data.exists():
        return False
    unfinished = cluster.data.with_name(cluster.data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    if cluster.is_nobodys:
        give_to_nobody(unfinished)
    _run_initdb(cluster, unfinished, password)
    _create_database(cluster, unfinished)
    unfinished.rename(cluster.data)
    return True


def _run_initdb(cluster: Cluster, folder: Path, password: str) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{password}\n".encode())  # through a pipe: neither an argument nor a file shows it
    os.close(writing)
    if cluster.is_nobodys:
        os.fchown(reading, NOBODY, NOBODY)
    command = [*cluster.before, *initdb_command(cluster, folder, reading)]
    try:
        done = subprocess.run(  # noqa: S603 - our own binaries
            command, cwd="/", env=environment(), pass_fds=[reading], capture_output=True, text=True, check=False
        )
    finally:
        os.close(reading)
    if done.returncode != 0:
        raise InitdbError(f"initdb failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")


def _create_database(cluster: Cluster, folder: Path) -> None:
    """In single-user mode: no port, no password, before anybody else may connect."""
    command = [*cluster.before, str(cluster.binaries / "bin" / "postgres"), "--single", "-D", str(folder), "postgres"]
    done = subprocess.run(  # noqa: S603 - our own binaries
        command,
        cwd="/",
        env=environment(),
        input=f"create database {DATABASE}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise InitdbError(f"the database {DATABASE} could not be created:\n{done.stdout}{done.stderr}")


def initdb_command(cluster: Cluster, folder: Path, password_descriptor: int) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # no socket: its path may not be longer than 107 bytes
        "shared_buffers": "32MB",
    }
    return [
        *(str(cluster.binaries / "bin" / "initdb"), "-D", str(folder), "-U", OWNER, "-A", "scram-sha-256"),
        f"--pwfile=/dev/fd/{password_descriptor}",
        *("--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
    ]


def serve_command(cluster: Cluster) -> list[str]:
    """The server in the foreground. Stop it with SIGINT: SIGTERM waits for clients for ever."""
    options = (word for name, value in cluster.extra.items() for word in ("-c", f"{name}={value}"))
    return [
        *cluster.before,
        *(str(cluster.binaries / "bin" / "postgres"), "-D", str(cluster.data), "-p", str(cluster.port)),
        *options,
    ]


def environment(surroundings: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without libpq's variables, which the server and initdb would read."""
    return {name: value for name, value in surroundings.items() if not name.startswith("PG")}
