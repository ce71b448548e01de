"""The command as a process: start-up time, closed pipes, Ctrl-C, terminals narrow and dumb, words instead of traces."""

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from shared.tests.cli.fake_gateway import Clearline

from clearline.cli import main
from clearline.cli.commands import version

COMMAND = [sys.executable, "-c", "from clearline.cli.main import main; main()"]
PENDING = b'{"id": "v1", "revision": 1, "status": "pending", "steps": [{"name": "resolve", "status": "passed"}]}'
CONNECTION = (
    b'{"id": "00000000-0000-4000-8000-000000000001", "name": "w", "environment": "staging", "kind": "tcp",'
    b' "lifecycle": "inactive", "revision": 1, "owner": "Zo\\u00eb"}'
)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """A command that ends in the middle of an answer is what some tests are about."""


class _Pending(BaseHTTPRequestHandler):
    """A gateway whose verifications never end."""

    def do_GET(self) -> None:
        self._answer(PENDING if "/verifications/" in self.path else CONNECTION)

    def do_POST(self) -> None:
        self._answer(b'{"verification_id": "v1", "correlation_id": "r"}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Silent."""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    server = _Server(("127.0.0.1", 0), _Pending)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield {
        "CLEARLINE_URL": f"http://127.0.0.1:{server.server_port}",
        "CLEARLINE_TOKEN": "clt_x",
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
    }
    server.shutdown()
    thread.join()
    server.server_close()


PATIENCE = 60
"""Seconds; on a busy machine an interpreter takes its time to start."""
VERIFY = ["verify", "00000000-0000-4000-8000-000000000001", "--wait", "--timeout"]


def test_help_loads_neither_the_terminal_nor_the_http_library() -> None:
    code = (
        "import sys\nfrom clearline.cli.main import run\nfrom clearline.cli.surroundings import of_this_process\n"
        "run(['--help'], of_this_process())\n"
        "print(sorted({'rich', 'httpx2', 'yaml', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert "connections" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_there_in_less_than_0_4_seconds_of_work() -> None:
    before = os.times()
    for _ in range(3):
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)  # noqa: S603 - our own command
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent / 3 < 0.4


def test_a_reader_that_goes_away_ends_the_command_quietly(environment: dict[str, str]) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "connections", "show", VERIFY[1]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_step_is_in_the_pipe_before_the_end_and_ctrl_c_says_that_the_verification_goes_on(
    environment: dict[str, str],
) -> None:
    # A run in the background of a script inherits that Ctrl-C is ignored; a terminal's does not.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [*COMMAND[:-1], heeding + COMMAND[-1]]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, *VERIFY, "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert b"resolve" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"The verification goes on" in err
    assert b"Traceback" not in out + err


def _on_terminal(arguments: list[str], environment: dict[str, str], columns: int) -> tuple[int, str]:
    master, slave = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment | {"COLUMNS": str(columns)},
        start_new_session=True,
    )
    os.close(slave)
    seen, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.2)
        try:
            chunk = os.read(master, 4096) if ready else b""
        except OSError:  # the other side is closed
            break
        if ready and not chunk:
            break
        seen += chunk
    os.close(master)
    return process.wait(PATIENCE), seen.decode()


def test_a_narrow_terminal_is_not_overrun(environment: dict[str, str]) -> None:
    code, seen = _on_terminal(["connections", "show", VERIFY[1]], environment, 30)
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m|\r", "", seen).split("\n")
    assert max(map(len, lines)) <= 30


def test_a_dumb_terminal_gets_lines_without_control_sequences(environment: dict[str, str]) -> None:
    environment["TERM"] = "dumb"
    code, seen = _on_terminal([*VERIFY, "1"], environment, 80)
    assert code == 2
    assert "\x1b" not in seen


def test_waiting_on_a_terminal_shows_a_sign_of_life_and_gives_the_cursor_back(environment: dict[str, str]) -> None:
    code, seen = _on_terminal([*VERIFY, "1"], environment, 80)
    assert code == 2
    assert "verifying" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


def test_an_encoding_without_the_signs_is_served_too(environment: dict[str, str]) -> None:
    environment["PYTHONIOENCODING"] = "ascii"
    done = subprocess.run([*COMMAND, *VERIFY, "0"], capture_output=True, env=environment, check=False)  # noqa: S603 - our own command
    assert done.returncode == 2
    assert b". Still pending" in done.stdout


def test_json_stays_json_in_an_encoding_without_the_signs(environment: dict[str, str]) -> None:
    environment["PYTHONIOENCODING"] = "ascii"
    shown = [*COMMAND, "connections", "show", VERIFY[1], "-o", "json"]
    done = subprocess.run(shown, capture_output=True, env=environment, check=True)  # noqa: S603 - our own command
    assert json.loads(done.stdout)["owner"] == "Zoë"


def test_closed_streams_are_no_fault(environment: dict[str, str]) -> None:
    shell = f"{shlex.join([*COMMAND, 'connections', 'show', VERIFY[1]])} <&- >&- 2>&-"
    done = subprocess.run(["/bin/sh", "-c", shell], env=environment, check=False)  # noqa: S603 - our own command
    assert done.returncode == 0
    shell = f"{shlex.join([*COMMAND, 'connections', 'retire', VERIFY[1]])} <&-"
    done = subprocess.run(["/bin/sh", "-c", shell], env=environment, capture_output=True, check=False)  # noqa: S603 - our own command
    assert done.returncode == 2
    assert b"nobody can be asked" in done.stderr


def test_a_fault_of_our_own_is_one_line_without_values(clearline: Clearline, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr(version, "_of_gateway", broken)
    result = clearline("version")
    assert result.code == 2
    assert "fault of its own: ValueError at" in result.err
    assert "hunter2" not in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("tokens create --name x --role root", "must be one of 'viewer', 'operator', 'admin'."),
        ("check -f x --timeout 0", "must be at least 0.1"),
        ("check -f x --timeout soon", "must be a number."),
        ("check -f x --parallel some", "must be a whole number."),
        ("check -f x --parallel 257", "must be at most 256"),
    ],
)
def test_what_an_option_takes_is_told_in_plain_words(clearline: Clearline, arguments: str, told: str) -> None:
    result = clearline(*arguments.split())
    option = arguments.split()[-2]
    assert (result.code, result.err.splitlines()[1]) == (2, f"Invalid value for '{option}': {told}")


def test_wrong_use_shows_the_usage_and_exits_2(clearline: Clearline) -> None:
    result = clearline("verify")
    assert result.code == 2
    assert "Usage: clearline verify" in result.err
    assert clearline("nonsense").code == 2


def test_the_entry_point_exits_with_the_code_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["clearline", "--version"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 0


@pytest.mark.parametrize("arguments", [["show"], ["show", "--output", "json"]])
def test_a_full_disk_under_the_output_is_told_in_words(environment: dict[str, str], arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device that takes nothing
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "connections", arguments[0], VERIFY[1], *arguments[1:]],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.decode() == "The output could not be written: No space left on device.\n"
