"""Fetches the jars that jars.lock names (Kafka, Postgres' binaries) and trusts none whose sha256 it has not checked."""

import fcntl
import hashlib
import logging
import os
import platform
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.bootstrap import certificates

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK_FILE = Path(__file__).with_name("jars.lock")
POSTGRES_GROUP = "io.zonky.test.postgres"
TRIES = 3
THREADS = 8
SAY_EVERY = 8  # jars

Say = Callable[[str], None]


class JarMismatchError(RuntimeError):
    """A downloaded jar does not have the checksum that jars.lock names. Trying again later may help."""


class UnknownPlatformError(RuntimeError):
    """There are no Postgres binaries for this platform. Point CLEARLINE at a server of your own."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of jars.lock: group:artifact:version and the only sha256 that is accepted."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, cache: Path) -> Path:
        return cache.joinpath(
            *self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar"
        )


def read_lock(text: str) -> list[Jar]:
    """Parse `group:artifact:version sha256` lines; `#` begins a comment."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return [_jar(coordinate, sha256) for coordinate, sha256 in rows]


def _jar(coordinate: str, sha256: str) -> Jar:
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def postgres_platform(system: str, machine: str) -> str:
    """Zonky's name of a platform, as in `linux-amd64`."""
    cpu = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}.get(machine.lower())
    if cpu is None or system not in {"Linux", "Darwin"}:
        raise UnknownPlatformError(f"no PostgreSQL binaries for {system} on {machine}: use a server of your own")
    return f"{system.lower()}-{cpu}"


def kafka_jars(jars: Iterable[Jar]) -> list[Jar]:
    """Everything that goes on the broker's class path."""
    return [jar for jar in jars if jar.group != POSTGRES_GROUP]


def postgres_jar(jars: Iterable[Jar], platform_name: str) -> Jar:
    """The one jar that holds this platform's PostgreSQL."""
    return next(jar for jar in jars if jar.group == POSTGRES_GROUP and jar.artifact.endswith(f"-{platform_name}"))


def this_machines_jars() -> tuple[list[Jar], Jar]:
    """(Kafka's class path, Postgres' jar) for the platform that this runs on."""
    jars = read_lock(LOCK_FILE.read_text())
    return kafka_jars(jars), postgres_jar(jars, postgres_platform(platform.system(), platform.machine()))


def ensure(jars: Iterable[Jar], cache: Path, say: Say = print) -> list[Path]:
    """Paths of all jars, each checked at every call (60 ms for all); what is missing or altered is fetched."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = list(jars)
    with (cache / ".lock").open("w") as lock, ThreadPoolExecutor(THREADS) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the stack and a test run may share the cache
        missing = [
            jar
            for jar, fine in zip(wanted, pool.map(lambda jar: _is_sound(jar, cache), wanted), strict=True)
            if not fine
        ]
        if missing:
            _fetch_all(missing, cache, pool, say)
    return [jar.path(cache) for jar in wanted]


def _fetch_all(missing: list[Jar], cache: Path, pool: ThreadPoolExecutor, say: Say) -> None:
    logging.getLogger("jgo").setLevel(logging.ERROR)  # our own check says more than its warnings
    started, size = time.monotonic(), 0
    from jgo.maven import MavenContext  # noqa: PLC0415 - 30 MB that a start without downloads does not need

    os.environ.update(certificates())  # jgo's requests would trust a list of its own
    context = MavenContext(repo_cache=cache, timeout=60, remote_repos=_remote_repositories())
    futures = {pool.submit(_fetch, jar, cache, context): jar for jar in missing}
    say(f"fetching {len(missing)} jars (Kafka, PostgreSQL)")
    for done, future in enumerate(as_completed(futures), 1):
        size += future.result()
        jar = futures[future]
        if done % SAY_EVERY and done < len(missing):
            continue
        spent = time.monotonic() - started
        say(f"  {done:>2}/{len(missing)}  {jar.artifact} {jar.version}  {size / 1e6:.0f} MB in {spent:.0f} s")


def _remote_repositories() -> dict[str, str] | None:
    """None is Maven Central."""
    mirror = os.environ.get("CLEARLINE_MAVEN_REPOSITORY", "").rstrip("/")
    return {"mirror": mirror} if mirror else None


def _fetch(jar: Jar, cache: Path, context: "MavenContext") -> int:
    path = jar.path(cache)
    for attempt in range(1, TRIES + 1):
        path.unlink(missing_ok=True)  # the library returns whatever lies there, whole or not
        try:
            context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except Exception as error:
            if attempt == TRIES:
                raise JarMismatchError(
                    f"could not fetch {jar.artifact} {jar.version}: {error}. Is the network there? "
                    "A mirror of Maven Central goes into CLEARLINE_MAVEN_REPOSITORY."
                ) from error
            continue
        if _is_sound(jar, cache):
            return path.stat().st_size
    path.unlink(missing_ok=True)
    raise JarMismatchError(
        f"{jar.artifact} {jar.version} was fetched {TRIES} times and never had the sha256 {jar.sha256}"
    )


def _is_sound(jar: Jar, cache: Path) -> bool:
    try:
        with jar.path(cache).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False
