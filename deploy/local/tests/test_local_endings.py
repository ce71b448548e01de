"""What `make status` says of a process that ended: the signal, or what it said itself since its last start."""

from pathlib import Path

import pytest
from deploy.local import logs
from deploy.local.endings import ending
from deploy.local.processes import Process
from deploy.local.tests import stand_ins

STALE = '{"event": "Task exception was never retrieved\\nfuture: <Task", "level": "error"}'


@pytest.fixture
def service(tmp_path: Path) -> Process:
    return stand_ins.server("verifier", 9002, tmp_path / "notes")


def test_a_killed_process_is_not_blamed_on_its_last_log_line(service: Process) -> None:
    assert ending(service, -9, [STALE]).text == "killed by signal 9"
    assert ending(service, None, [STALE]).text == "was killed or exited"
    assert ending(service, 0, [STALE]).text == "exit 0"


def test_an_exit_with_an_error_is_told_by_its_event_on_one_line(service: Process) -> None:
    assert ending(service, 1, ["old", STALE]).text == "exit 1: Task exception was never retrieved future: <Task"
    assert ending(service, 7, ["the reason is here"]).text == "exit 7: the reason is here"
    assert ending(service, 1, []).text == "exit 1"


@pytest.mark.parametrize(
    "said",
    [
        'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
        "java.net.BindException: Address already in use",
        '{"event": "[Errno 98] error while attempting to bind on address: address already in use"}',
    ],
)
def test_a_taken_port_is_named_with_the_setting_that_moves_the_stack(service: Process, said: str) -> None:
    told = ending(service, 1, [said, "shutting down"])
    assert told.port_was_taken
    assert "port 9002 is in use" in told.text
    assert "CLEARLINE_PORT_BASE" in told.text
    assert not ending(service, 1, ["something else"]).port_was_taken


def test_what_was_said_before_the_last_start_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "verifier.log"
    assert logs.size(path) == 0
    path.write_text("old\n")
    since = logs.size(path)
    assert logs.tail(path, 5, since=since) == []
    path.write_text("old\nnew\n")
    assert logs.tail(path, 5, since=since) == ["new"]
    path.write_text("a\n")  # begun anew in between
    assert logs.tail(path, 5, since=since) == ["a"]
