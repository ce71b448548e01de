"""The local stack as its users have it: `make up` in a fresh checkout, everything killed once, stopped and started."""

import asyncio
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from deploy.local import keeper, steps
from tests.e2e.local_checkout import Checkout, copy_tree
from tests.harness.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
SERVICES = ["kafka", "postgres", "gateway", "projector", "verifier"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout in a folder with a space in its name; whatever a test leaves running ends with the module."""
    made = copy_tree(tmp_path_factory.mktemp("a checkout"))
    yield made
    made.make("reset", "FORCE=1")


@pytest.fixture
def stack(stopped: Checkout) -> Checkout:
    """The same, up."""
    stopped.up()
    return stopped


def test_up_says_what_is_ready_and_how_to_go_on(stopped: Checkout) -> None:
    printed = stopped.up()
    for name in SERVICES:
        assert f"\n  {name} " in printed
    env = stopped.env()
    assert env["CLEARLINE_URL"] == f"http://127.0.0.1:{stopped.base}"
    for shown in (env["CLEARLINE_URL"], env["CLEARLINE_TOKEN"], ".venv/bin/clearline connections create"):
        assert shown in printed
    assert stopped.make("status").returncode == 0


def test_a_second_up_starts_nothing_and_takes_moments(stack: Checkout) -> None:
    before, token = stack.pids(), stack.env()["CLEARLINE_TOKEN"]
    began = time.monotonic()
    stack.up()
    assert time.monotonic() - began < 3
    assert stack.pids() == before
    assert stack.env()["CLEARLINE_TOKEN"] == token


def test_everything_listens_on_loopback_only(stack: Checkout) -> None:
    listening = [
        (name, connection.laddr)
        for name, pid in stack.pids().items()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {name for name, _ in listening} == set(SERVICES)
    assert {address.ip for _, address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert all(stack.base <= address.port < stack.base + 13 for _, address in listening)


def test_secrets_lie_in_files_of_this_user_alone(stack: Checkout) -> None:
    files = [path for path in stack.places.keys.iterdir() if path.is_file()]
    assert len(files) >= 7
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*files, stack.places.env_file]} == {0o600}


def test_the_private_key_reaches_the_verifier_and_no_other_process(stack: Checkout) -> None:
    private = (stack.places.keys / "sealing").read_text().strip()
    holders = {name for name, pid in stack.pids().items() if _can_see(pid, private, stack.places.keys / "sealing")}
    assert holders == {"verifier"}  # which also shows that looking finds it


def _can_see(pid: int, private: str, path: Path) -> bool:
    environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    told = any(private in entry or entry.endswith(f"={path}") for entry in environment) or private in command
    return told or str(path) in {file.path for file in psutil.Process(pid).open_files()}


async def test_the_login_for_looking_reads_and_cannot_write(stack: Checkout) -> None:
    connection = await asyncpg.connect(stack.env()["CLEARLINE_POSTGRES_DSN"])
    try:
        assert await connection.fetchval("select count(*) from service_connection_profiles") >= 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from service_connection_profiles")
    finally:
        await connection.close()


async def test_postgres_asks_for_passwords(stack: Checkout) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.env()["CLEARLINE_POSTGRES_DSN"], password="wrong")


@pytest.mark.parametrize("name", SERVICES)
async def test_a_killed_process_comes_back_within_seconds(stack: Checkout, name: str) -> None:
    killed = stack.pids()[name]
    os.kill(killed, signal.SIGKILL)
    await until(lambda: stack.pids().get(name, killed) != killed, within=5, what=f"{name} is started again")
    await until(stack.all_ready, within=45, what=f"all are ready after {name} was killed")


async def test_a_killed_supervisor_comes_back_and_adopts_what_runs(stack: Checkout) -> None:
    before, supervisor = stack.pids(), stack.state().supervisor.pid
    os.kill(supervisor, signal.SIGKILL)
    await until(lambda: not _runs(supervisor))
    await until(stack.all_ready, within=20, what="another supervisor took over")
    assert stack.state().supervisor.pid != supervisor
    assert stack.pids() == before


async def test_a_killed_keeper_is_replaced_by_the_next_up(stack: Checkout) -> None:
    found = keeper.find(stack.places)
    assert found is not None
    found.kill()
    await until(lambda: keeper.find(stack.places) is None)
    assert "make up" in stack.make("status").stdout
    before = stack.pids()
    await asyncio.to_thread(stack.up)
    assert keeper.find(stack.places) is not None
    assert stack.pids() == before


def _runs(pid: int) -> bool:
    """A zombie does not: what was adopted is left to the system's first process to bury."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("damage", [None, b"CLEARLINE_T", b"\xff\xfe\0", b"CLEARLINE_URL='x\n"])
def test_the_next_up_mends_a_lost_or_damaged_env_file(stack: Checkout, damage: bytes | None) -> None:
    before, lost = stack.pids(), stack.env()
    stack.places.env_file.unlink()
    if damage is not None:
        stack.places.env_file.write_bytes(damage)
    stack.up()
    env = stack.env()
    assert env["CLEARLINE_POSTGRES_DSN"] == lost["CLEARLINE_POSTGRES_DSN"]
    assert steps.session_status(stack.base, env["CLEARLINE_TOKEN"]) == 200
    assert steps.session_status(stack.base, lost["CLEARLINE_TOKEN"]) == 401  # replaced, not one more
    assert stack.pids() == before


def test_a_lost_key_is_not_replaced_beside_data(stack: Checkout) -> None:
    assert stack.make("down").returncode == 0
    kept = stack.places.keys.rename(stack.places.folder / "elsewhere")
    done = stack.make("up")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "keys/sealing" in done.stderr
    assert "Restore it" in done.stderr
    assert not stack.places.keys.exists()
    kept.rename(stack.places.keys)
    stack.up()


async def test_up_ends_when_another_shell_stops_the_stack(stopped: Checkout) -> None:
    stopped.make("down")
    upping = asyncio.create_task(asyncio.to_thread(stopped.make, "up"))
    await until(stopped.places.wanted_file.exists, within=60)
    await asyncio.to_thread(stopped.make, "down")
    done = await asyncio.wait_for(upping, 60)
    assert done.returncode != 0
    assert "stopped by `make down`" in done.stderr


def test_data_and_token_survive_down_and_up(stack: Checkout) -> None:
    token = stack.env()["CLEARLINE_TOKEN"]
    port = str(stack.base)
    words = ["--environment", "development", "--kind", "tcp", "--set", "host=127.0.0.1", "--set", f"port={port}"]
    made = stack.clearline("connections", "create", "--name", "kept", *words, "--wait")
    assert made, "the connection was created"
    was = stack.pids()
    assert stack.make("down").returncode == 0
    assert not any(map(_runs, was.values()))
    assert stack.make("status").returncode != 0
    stack.up()
    assert stack.env()["CLEARLINE_TOKEN"] == token
    kept = stack.clearline("connections", "show", "development/kept")
    assert kept["verification"]["status"] == "verified"


def test_a_stack_that_its_supervisor_lost_is_stopped_by_down(stack: Checkout) -> None:
    was = stack.pids()
    found = keeper.find(stack.places)
    assert found is not None
    found.kill()
    os.kill(stack.state().supervisor.pid, signal.SIGKILL)
    assert stack.make("down").returncode == 0
    assert not any(map(_runs, was.values()))


def test_a_taken_port_is_told_before_anything_starts(stopped: Checkout) -> None:
    stopped.make("down")
    with socket.create_server(("127.0.0.1", stopped.base + 10)):
        done = stopped.make("up")
    assert done.returncode != 0
    assert f"port {stopped.base + 10} (for kafka) is taken" in done.stderr
    assert "CLEARLINE_PORT_BASE=" in done.stderr
    assert "Traceback" not in done.stderr
    assert stopped.make("status").stdout.startswith("nothing runs")


def test_a_service_that_does_not_come_up_shows_its_last_words(stopped: Checkout) -> None:
    stopped.make("down")
    done = stopped.make("up", CLEARLINE_VERIFICATION_VALIDITY="soon")
    assert done.returncode != 0
    assert "did not come up" in done.stderr
    assert "CLEARLINE_VERIFICATION_VALIDITY" in done.stderr
    assert stopped.make("down").returncode == 0
    stopped.up()


def test_on_other_ports_than_it_runs_on_is_an_error_and_they_are_remembered(stack: Checkout) -> None:
    done = stack.make("up", CLEARLINE_PORT_BASE=str(stack.base + 13))
    assert done.returncode != 0
    assert f"the stack runs on ports from {stack.base}" in done.stderr
    assert stack.make("up", CLEARLINE_PORT_BASE="").returncode == 0


def test_reset_asks_and_then_deletes_everything(stack: Checkout) -> None:
    done = stack.make("reset")
    assert done.returncode != 0
    assert "FORCE=1" in done.stderr
    assert stack.all_ready()
    assert stack.make("reset", "FORCE=1").returncode == 0
    assert not stack.places.folder.exists()
    assert (stack.folder / "Makefile").exists()
