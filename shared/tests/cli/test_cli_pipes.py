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


def test_relative_paths_begin_at_the_file_whichever_command_reads_it_and_of_a_pipe_where_it_runs(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "secret").write_text("beside the command\n")
    (tmp_path / "team" / "secret").write_text("beside the file\n")
    item = FILE % 'password: "${file:secret}"'
    (tmp_path / "team" / "c.yaml").write_text(item)
    for command in (("apply",), ("connections", "create")):
        assert clearline(*command, "-f", "team/c.yaml").code == 0
        gateway.connections.clear()
        reader, writer = os.pipe()
        os.write(writer, item.encode())
        os.close(writer)
        assert clearline(*command, "-f", f"/dev/fd/{reader}").code == 0
        gateway.connections.clear()
        os.close(reader)
    assert [body["credentials"]["password"] for body in gateway.sent("POST")] == [
        "beside the file",
        "beside the command",
    ] * 2


def test_the_home_of_nobody_is_told_as_a_secret_that_cannot_be_read(clearline: Clearline) -> None:
    result = clearline(*CREATE, "--set", "host=h", "--secret", "password=${file:~nobody-at-all/x}")
    assert result.code == 2
    assert "The secret password cannot be read from ~nobody-at-all/x" in result.err
