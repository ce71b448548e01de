"""Jars are trusted by checksum alone, whatever lies in the cache and whatever the server sends."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.local import jars
from deploy.local.jars import Jar, JarMismatchError, UnknownPlatformError

CONTENT = b"the jar"
ALTERED = b"not the jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())

pytestmark = pytest.mark.integration  # a repository on loopback


class Repository(http.server.ThreadingHTTPServer):
    """A Maven repository that answers with what the test has put in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        if not self.path.endswith(".jar"):
            self.send_error(404)
            return
        self.server.asked.append(self.path)
        body = self.server.bodies.pop(0) if len(self.server.bodies) > 1 else self.server.bodies[0]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with Repository() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        monkeypatch.setenv("CLEARLINE_MAVEN_REPOSITORY", made.url)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy that is not there
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield made
        made.shutdown()


def ensure(cache: Path) -> bytes:
    [path] = jars.ensure([JAR], cache, lambda _: None)
    return path.read_bytes()


def test_what_is_missing_is_fetched_and_then_kept(repository: Repository, tmp_path: Path) -> None:
    repository.bodies = [CONTENT]
    assert ensure(tmp_path) == ensure(tmp_path) == CONTENT
    assert repository.asked == ["/org/example/thing/1.0/thing-1.0.jar"]


@pytest.mark.parametrize("found", [ALTERED, b"", CONTENT[:3]], ids=["altered", "empty", "cut"])
def test_what_was_altered_on_the_disk_is_fetched_anew(repository: Repository, tmp_path: Path, found: bytes) -> None:
    repository.bodies = [CONTENT]
    JAR.path(tmp_path).parent.mkdir(parents=True)
    JAR.path(tmp_path).write_bytes(found)
    assert ensure(tmp_path) == CONTENT


def test_what_arrives_altered_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    repository.bodies = [ALTERED, ALTERED, CONTENT]
    assert ensure(tmp_path) == CONTENT


def test_what_never_fits_is_refused_and_not_left_lying(repository: Repository, tmp_path: Path) -> None:
    repository.bodies = [ALTERED]
    with pytest.raises(JarMismatchError, match=r"thing 1\.0 was fetched 3 times"):
        ensure(tmp_path)
    assert not JAR.path(tmp_path).exists()


def test_a_repository_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEARLINE_MAVEN_REPOSITORY", "http://127.0.0.1:9")
    with pytest.raises(JarMismatchError, match="Is the network there"):
        ensure(tmp_path)


def test_the_lock_has_one_postgres_for_each_platform_and_all_of_kafka() -> None:
    locked = jars.read_lock(jars.LOCK_FILE.read_text())
    for system in ("Linux", "Darwin"):
        for machine in ("x86_64", "arm64"):
            assert jars.postgres_jar(locked, jars.postgres_platform(system, machine)).version.startswith("17.")
    names = {jar.artifact for jar in jars.kafka_jars(locked)}
    assert {"kafka_2.13", "kafka-clients", "scala-library", "slf4j-simple"} <= names
    assert all(len(jar.sha256) == 64 for jar in locked)


def test_another_platform_is_refused_by_name() -> None:
    with pytest.raises(UnknownPlatformError, match="riscv64"):
        jars.postgres_platform("Linux", "riscv64")
