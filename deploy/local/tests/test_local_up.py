"""`make up` mends what it can replace, stops before it would replace what it cannot, and ends when it is told to."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from deploy.local import keys, prepare, steps, up
from deploy.local.places import Places
from deploy.local.ports import Ports
from deploy.local.processes import Process, Stack, processes
from tests.harness.places import ROOT, free_ports

GOOD = "clt_good"
MAKE = shutil.which("make") or "make"


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {GOOD}"
        self.send_response(HTTPStatus.OK if known else HTTPStatus.UNAUTHORIZED)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Gateway) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Keys and data as after a first start."""
    made = Stack(Places(tmp_path), Ports(9000), {})
    made.places.make()
    keys.ensure_dsns(made.places, made.cluster())
    keys.ensure_sealing_keys(made.places)
    (made.places.data / "postgres").mkdir()
    return made


@pytest.mark.parametrize("damage", [b"", b"CLEARLINE_T", b"\xff\xfe\0", b"CLEARLINE_URL='http\n", b"CLEARLINE_URL=x y"])
def test_a_damaged_env_file_is_written_anew(stack: Stack, damage: bytes) -> None:
    stack.places.env_file.write_bytes(damage)
    prepare.write_env(stack)
    env = keys.read_env(stack.places.env_file)
    assert env["CLEARLINE_URL"] == "http://127.0.0.1:9000"
    assert env["CLEARLINE_POSTGRES_DSN"].startswith("postgresql://clearline_reader:")


def test_one_broken_line_does_not_cost_the_others(stack: Stack) -> None:
    stack.places.env_file.write_text(f"CLEARLINE_TOKEN={GOOD}\nCLEARLINE_URL='http\n")
    prepare.write_env(stack)
    assert keys.read_env(stack.places.env_file)["CLEARLINE_TOKEN"] == GOOD


@pytest.mark.parametrize(("token", "is_known"), [(GOOD, True), ("clt_wrong", False), ("", False), ("€\n", False)])
def test_the_gateway_is_asked_whether_it_knows_the_token(gateway: int, token: str, is_known: bool) -> None:  # noqa: FBT001 - a table
    assert (steps.session_status(gateway, token) == HTTPStatus.OK) is is_known


def test_a_token_that_is_known_is_kept(stack: Stack, gateway: int) -> None:
    keys.update_env(stack.places.env_file, {"CLEARLINE_TOKEN": GOOD})
    up.hold_token(Stack(stack.places, Ports(gateway), {}))  # there is no .venv here: no step could run


def test_a_token_that_is_not_known_is_made_anew_by_its_step(stack: Stack, gateway: int) -> None:
    stack.places.python.parent.mkdir(parents=True)
    stack.places.python.write_text('#!/bin/sh\necho "$@" > ran\necho no luck >&2\nexit 3\n')
    stack.places.python.chmod(0o755)
    keys.update_env(stack.places.env_file, {"CLEARLINE_TOKEN": "clt_wrong"})
    with pytest.raises(up.StartError, match="no luck"):
        up.hold_token(Stack(stack.places, Ports(gateway), {}))
    assert (stack.places.root / "ran").read_text() == "-m deploy.local ensure-token\n"


def test_a_gateway_that_is_gone_again_is_said(stack: Stack) -> None:
    with pytest.raises(up.StartError, match="does not answer"):
        up.hold_token(Stack(stack.places, Ports(free_ports(1)[0]), {}))


@pytest.mark.parametrize("lost", ["sealing", "sealing.pub", "clearline.dsn"])
def test_a_lost_key_beside_data_stops_the_start_before_anything_is_made(
    stack: Stack, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "prepare", lambda *_: pytest.fail("the start went on"))
    (stack.places.keys / lost).unlink()
    before = sorted(stack.places.keys.iterdir())
    with pytest.raises(prepare.PreparationError, match=f"(?s)keys/{lost}: missing.*make reset") as refused:
        up.up(stack.places, print)
    assert "Restore it" in str(refused.value)
    assert sorted(stack.places.keys.iterdir()) == before


def test_an_emptied_key_is_a_lost_one_and_without_data_keys_are_simply_made(stack: Stack) -> None:
    (stack.places.keys / "sealing").write_text("\n")
    with pytest.raises(prepare.PreparationError, match="sealing"):
        prepare.check_keys(stack.places)
    (stack.places.data / "postgres").rmdir()
    prepare.check_keys(stack.places)


def test_up_ends_as_soon_as_the_stack_is_stopped(stack: Stack) -> None:
    stack.places.wanted_file.touch()
    threading.Timer(0.2, stack.places.wanted_file.unlink).start()
    with pytest.raises(up.StartError, match="stopped by `make down`"):
        up.wait_until_ready(stack.places, _one_process(stack), {}, print)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that touches nothing and is over at once."""
    for name in ("_start", "hold_token", "_tell_how_to_go_on", "wait_until_ready", "check_ports"):
        monkeypatch.setattr(up, name, lambda *_arguments, **_named: {})
    monkeypatch.setattr(prepare, "prepare", lambda *_: None)
    monkeypatch.setattr(prepare, "write_env", lambda *_: None)


@pytest.mark.usefixtures("starts")
def test_ctrl_c_while_it_starts_says_that_it_goes_on(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    said: list[str] = []
    monkeypatch.setattr(up, "wait_until_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        up.up(stack.places, said.append)
    assert "goes on starting" in said[-1]
    assert "`make down`" in said[-1]


@pytest.mark.usefixtures("starts")
@pytest.mark.parametrize("ran", [True, False])
def test_a_stack_that_ran_already_keeps_its_settings_and_says_so(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    ran: bool,  # noqa: FBT001 - a column of the table
) -> None:
    said: list[str] = []
    monkeypatch.setattr(up, "_runs_already", lambda _stack: ran)
    up.up(stack.places, said.append)
    assert ("keeps the settings" in "".join(said)) is ran


def _one_process(stack: Stack) -> tuple[Process, ...]:
    return processes(stack)[:1]


def test_the_set_up_counts_as_waiting(tmp_path: Path) -> None:
    asks = "import deploy.local.up as up; print(up.seconds_waited())"
    (tmp_path / "Makefile").write_text(f"up: setup\n\t@{sys.executable} -c '{asks}'\nsetup:\n\t@sleep 2\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603 - our own Makefile
        [MAKE, "up"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) >= 2


def test_logs_and_events_are_for_this_user_alone(stack: Stack) -> None:
    stack.places.logs.chmod(0o755)  # as an older stack made it
    stack.places.make()
    for folder in (stack.places.logs, stack.places.data / "kafka", stack.places.keys, stack.places.run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`make status | head -2`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "deploy.local", "status"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.stderr, done.returncode) == ("", 0)


def test_status_of_a_bare_clone_installs_nothing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(  # noqa: S603 - our own Makefile
        [MAKE, "status"], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("nothing runs; `make up` starts it")
    assert done.returncode != 0
    assert [each.name for each in tmp_path.iterdir()] == ["Makefile"]
