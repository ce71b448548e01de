"""Files that are pipes: `<(command)` is read to its end, and one into which nobody writes is told, not waited for."""

import os
import threading
from pathlib import Path

import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

from clearline.cli import bounded_file
from clearline.cli.bounded_file import read_at_most

CREATE = ("connections", "create", "--environment", "staging", "--kind", "postgres", "--name", "a")
FILE = "{name: q, environment: staging, kind: postgres, config: {host: h, database: d, user: u}, credentials: {%s}}"


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bounded_file, "WRITER_MS", 50)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_pipe_without_a_writer_is_told_as_file_and_as_secret(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path, pipe: Path
) -> None:
    (tmp_path / "c.yaml").write_text(FILE % 'password: "${file:pipe}"')
    for arguments in (
        ("check", "-f", pipe.name),
        ("apply", "-f", "c.yaml"),
        ("connections", "create", "-f", pipe.name),
        (*CREATE, "--set", "host=h", "--secret", "password=${file:pipe}"),
    ):
        result = clearline(*arguments)
        assert result.code == 2
        assert "nobody writes into this pipe" in result.err, arguments
    assert gateway.sent("POST") == []


def test_a_writer_that_takes_its_time_is_waited_for(pipe: Path) -> None:
    """As a command in `<(…)` that asks for a passphrase first."""
    writes = threading.Event()

    def write() -> None:
        with pipe.open("wb", buffering=0) as end:
            writes.wait(5)
            end.write(b"a" * 10)
            end.write(b"b" * 10)

    writer = threading.Thread(target=write)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # so that the writer can open it before it is read
    writer.start()
    threading.Timer(0.3, writes.set).start()
    try:
        assert read_at_most(pipe, 100) == b"a" * 10 + b"b" * 10
    finally:
        writes.set()
        writer.join()
        os.close(reader)


def test_what_is_too_long_is_read_one_byte_further_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 100)
    assert len(read_at_most(tmp_path / "long", 10)) == 11
    assert len(read_at_most(Path("/dev/zero"), 10)) == 11
