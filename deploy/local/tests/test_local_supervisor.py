"""The supervisor with stand-in processes: every mistake that was made once has a test here."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from deploy.local import leftovers, state
from deploy.local.places import Places
from deploy.local.processes import Service
from deploy.local.state import Condition, Identity, State, Told
from deploy.local.supervisor import LockHeldError, supervise
from deploy.local.tests import stand_ins
from tests.harness.places import ROOT, free_ports
from tests.harness.waiting import until

pytestmark = pytest.mark.integration  # real processes, if small ones


@dataclass(slots=True)
class Stage:
    """A folder, a record, and the supervisors a test started over it."""

    kind: str
    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(2))
    supervisors: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return Places(self.folder)

    @property
    def notes_file(self) -> Path:
        return self.folder / "notes"

    def notes(self) -> list[str]:
        return self.notes_file.read_text().splitlines() if self.notes_file.exists() else []

    def start(self) -> subprocess.Popen[bytes]:
        words = [
            sys.executable,
            "-m",
            "deploy.local.tests.stand_ins",
            self.kind,
            str(self.folder),
            str(self.notes_file),
        ]
        started = subprocess.Popen([*words, *map(str, self.ports)], cwd=ROOT)  # noqa: S603 - our own stand-in
        self.supervisors.append(started)
        return started

    def condition(self, name: str) -> Condition | None:
        found = state.of_a_living_supervisor(self.places.state_file)
        return found.processes[name].condition if found else None

    def pid(self, name: str) -> int:
        found = state.read(self.places.state_file)
        assert found is not None
        identity = found.processes[name].identity
        assert identity is not None, f"{name} does not run"
        return identity.pid

    def all_ready(self) -> bool:
        return self.condition("database") == self.condition("gateway") == Condition.READY

    def stop(self) -> None:
        self.places.wanted_file.unlink(missing_ok=True)
        for each in self.supervisors:
            each.terminate()
            each.wait(20)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage("two", tmp_path)
    made.places.make()
    made.places.wanted_file.touch()
    yield made
    made.stop()
    if made.places.state_file.exists():  # what a killed supervisor left, stopped as `make down` does
        made.start().wait(20)


async def test_each_starts_after_what_it_needs_and_stops_before_it(stage: Stage) -> None:
    supervisor = stage.start()
    await until(stage.all_ready)
    assert stage.notes() == ["database started", "migrate ran", "gateway started"]
    assert stage.condition("migrate") == Condition.DONE
    stage.places.wanted_file.unlink()
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert stage.notes()[3:] == ["gateway SIGTERM", "database SIGINT"]


async def test_a_killed_process_comes_back_and_its_neighbour_is_left_alone(stage: Stage) -> None:
    stage.start()
    await until(stage.all_ready)
    killed, neighbour = stage.pid("gateway"), stage.pid("database")
    os.kill(killed, signal.SIGKILL)
    await until(lambda: stage.notes().count("gateway started") == 2 and stage.all_ready(), within=5)
    assert stage.pid("gateway") != killed
    assert stage.pid("database") == neighbour
    told = state.read(stage.places.state_file)
    assert told is not None
    assert told.processes["gateway"].restarts == 1
    assert "signal 9" in told.processes["gateway"].last_error


async def test_a_killed_supervisor_is_followed_by_one_that_adopts_what_runs(stage: Stage) -> None:
    first = stage.start()
    await until(stage.all_ready)
    before = stage.pid("database"), stage.pid("gateway")
    second = stage.start()  # waits for the lock, as the keeper's next one would
    first.kill()
    first.wait()
    await until(
        lambda: (found := state.read(stage.places.state_file)) is not None and found.supervisor.pid == second.pid
    )
    await until(stage.all_ready)
    assert (stage.pid("database"), stage.pid("gateway")) == before
    assert stage.notes().count("database started") == 1
    os.kill(before[1], signal.SIGKILL)  # and what was adopted is watched
    await until(lambda: stage.notes().count("gateway started") == 2 and stage.all_ready(), within=8)


async def test_children_do_not_hold_the_lock_of_their_supervisor(stage: Stage) -> None:
    stage.start()
    await until(stage.all_ready)
    lock = str(stage.places.lock_file)
    assert lock not in {file.path for file in psutil.Process(stage.pid("gateway")).open_files()}
    assert lock in {file.path for file in psutil.Process(stage.supervisors[0].pid).open_files()}


async def test_stopping_after_the_supervisor_was_killed_stops_what_it_left(stage: Stage) -> None:
    first = stage.start()
    await until(stage.all_ready)
    left = psutil.Process(stage.pid("database")), psutil.Process(stage.pid("gateway"))
    first.kill()
    first.wait()
    stage.places.wanted_file.unlink()
    assert stage.start().wait(20) == 0
    assert stage.notes()[-2:] == ["gateway SIGTERM", "database SIGINT"]
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in left)


async def test_one_that_never_gets_ready_is_given_up_and_said(stage: Stage) -> None:
    stage.kind = "failing"
    supervisor = stage.start()
    await until(lambda: stage.condition("broken") == Condition.FAILED)
    told = state.read(stage.places.state_file)
    assert told is not None
    assert told.processes["broken"].last_error == "exit 7: the reason is here"
    assert stage.condition("behind") == Condition.WAITING
    reasons = stage.places.log("broken").read_text().count("the reason")
    assert reasons == 4
    supervisor.send_signal(signal.SIGHUP)  # as the next `make up`
    await until(lambda: stage.places.log("broken").read_text().count("the reason") == 8)


async def test_a_program_that_is_missing_is_said_and_does_not_end_the_supervisor(stage: Stage) -> None:
    stage.kind = "missing"
    supervisor = stage.start()
    await until(lambda: stage.condition("broken") == Condition.FAILED)
    told = state.read(stage.places.state_file)
    assert told is not None
    assert "/no/such/program" in told.processes["broken"].last_error
    assert supervisor.poll() is None


async def test_another_process_on_the_port_is_not_taken_for_ours(stage: Stage) -> None:
    """Else a stack would provision and use the Kafka of another checkout."""
    stage.kind = "homeless"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", stage.ports[0]):
        stage.start()
        await until(lambda: stage.condition("broken") == Condition.FAILED, within=60)  # it is tried for longer
    told = state.read(stage.places.state_file)
    assert told is not None
    assert f"port {stage.ports[0]} is in use" in told.processes["broken"].last_error
    assert "CLEARLINE_PORT_BASE" in told.processes["broken"].last_error
    assert stage.places.log("broken").read_text().lower().count("address already in use") > 4


async def test_a_port_that_is_given_back_in_time_is_no_failure(stage: Stage) -> None:
    """Systems lend ports to outgoing connections, for seconds."""
    stage.kind = "homeless"
    with socket.create_server(("127.0.0.1", stage.ports[0])):
        stage.start()
        log = stage.places.log("broken")
        await until(lambda: log.exists() and log.read_text().lower().count("address already in use") > 4, within=30)
    await until(lambda: stage.condition("broken") == Condition.READY, within=30)


async def test_a_frozen_process_is_told_as_silent_and_can_be_stopped(stage: Stage) -> None:
    stage.start()
    await until(stage.all_ready)
    os.kill(stage.pid("gateway"), signal.SIGSTOP)
    await until(lambda: stage.condition("gateway") == Condition.SILENT, within=15)
    assert stage.condition("database") == Condition.READY


async def test_one_that_says_why_it_is_not_ready_is_not_silent_and_a_halted_one_waits_for_a_person(
    stage: Stage,
) -> None:
    refusal = stage.notes_file.with_name("notes.refusal")
    stage.start()
    await until(stage.all_ready)
    _refuse(refusal, "waiting: waiting for a dependency (Kafka)")
    await until(lambda: stage.condition("gateway") == Condition.UNREADY, within=15)
    _refuse(refusal, "halted: too many dead letters")
    await until(lambda: stage.condition("gateway") == Condition.HALTED, within=15)
    told = state.read(stage.places.state_file)
    assert told is not None
    assert told.processes["gateway"].says == "consumer x halted: too many dead letters"
    stage.supervisors[0].kill()  # the next one, which never saw it ready, says the same
    stage.supervisors[0].wait()
    stage.start()
    await until(lambda: stage.condition("gateway") == Condition.HALTED, within=15)
    refusal.unlink()
    await until(stage.all_ready, within=15)
    told = state.read(stage.places.state_file)
    assert told is not None
    assert told.processes["gateway"].says == ""


def _refuse(path: Path, detail: str) -> None:
    """From now on the stand-ins answer so."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(
        json.dumps({"checks": {"start": {"ok": True}, "consumer x": {"ok": False, "detail": detail}}})
    )
    unfinished.rename(path)


def test_a_dead_supervisors_file_is_not_believed(tmp_path: Path) -> None:
    myself = Identity.of(os.getpid())
    another_birth = Identity(myself.pid, myself.born - 100)
    service = stand_ins.server("database", 1, tmp_path / "notes")
    left = State(another_birth, False, {"database": Told(Condition.READY, another_birth)})
    left.write(tmp_path / "state.json")
    assert state.of_a_living_supervisor(tmp_path / "state.json") is None
    assert leftovers.find((service,), state.read(tmp_path / "state.json")) == {}
    assert leftovers.find((service,), State(myself, False, {"database": Told(Condition.READY, myself)})) == {
        "database": myself
    }


async def test_a_process_in_no_file_is_found_by_its_command(tmp_path: Path) -> None:
    [port] = free_ports(1)
    service: Service = stand_ins.server("database", port, tmp_path / "notes")
    running = subprocess.Popen(service.command)  # noqa: S603, ASYNC220 - our own stand-in, started at once
    try:
        await until(lambda: leftovers.find((service,), None) != {})
        assert leftovers.find((service,), None)["database"].pid == running.pid
    finally:
        running.kill()
        running.wait()
    assert leftovers.find((service,), None) == {}


def test_half_a_state_file_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"supervisor": {"pid": 1')
    assert state.read(tmp_path / "state.json") is None


def test_what_an_older_or_newer_supervisor_wrote_is_read(tmp_path: Path) -> None:
    """A checkout may be updated while its stack runs; `make down` must still find it."""
    text = (
        '{"supervisor": {"pid": 1, "born": 2.0}, "new": 1, "processes": {"kafka": {"condition": "ready", "newer": 2}}}'
    )
    (tmp_path / "state.json").write_text(text)
    found = state.read(tmp_path / "state.json")
    assert found is not None
    assert found.processes["kafka"] == Told(Condition.READY)


async def test_stopping_does_not_wait_for_ever_for_the_lock(stage: Stage) -> None:
    stage.start()
    await until(stage.all_ready)
    with pytest.raises(LockHeldError):
        supervise(stage.places, tuple, Identity.of(os.getpid()), patience=0.2)
