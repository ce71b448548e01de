"""`make up`: lay out what is missing, start what does not run, wait until all are ready, say how to go on."""

import http
import os
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
from deploy.local import keeper, keys, leftovers, logs, ports, prepare, state, status, steps
from deploy.local.places import Places
from deploy.local.ports import Ports
from deploy.local.processes import Process, Service, Stack, processes, services
from deploy.local.state import Condition, State, Told

DEADLINE = 150.0  # seconds for the whole start, on a busy machine too
LOOK_EVERY = 0.05
_LAST_LINES = 20

Say = Callable[[str], None]


class StartError(RuntimeError):
    """The stack did not come up; the message names the process and shows its last log lines."""


def up(places: Places, say: Say) -> None:
    """Return when every process is ready. Raises StartError, PortError or PreparationError otherwise."""
    _wait_for_a_stop_under_way(places)
    stack = Stack(places, Ports(ports.chosen_base(os.environ, places.base_file)))
    prepare.check_keys(places)
    if runs := _runs_already(stack):
        prepare.write_env(stack)
    else:
        prepare.check_folder(places)
        check_ports(stack)
        prepare.prepare(stack, say)
    given_up = _start(places)
    try:
        wait_until_ready(places, processes(stack), given_up, say)
    except KeyboardInterrupt:
        say("\nInterrupted; the stack goes on starting. `make status` shows it, `make down` stops it.")
        raise
    hold_token(stack)
    _tell_how_to_go_on(places, seconds_waited(), say)
    if runs:
        say("\nWhat ran already keeps the settings it was started with. For new ones: `make down`, then `make up`.")


def seconds_waited() -> float:
    """Since `make` was called, where it was: the set-up before this process is waiting too."""
    mine = psutil.Process()
    make = next(
        (each for each in mine.parents()[:2] if each.name() in {"make", "gmake"}), mine
    )  # a shell may be between
    return max(0.0, time.time() - make.create_time())


def check_ports(stack: Stack) -> None:
    """Raise PortError if somebody else has one of ours; what this stack left running is not somebody else."""
    record = services(stack)
    ours = leftovers.find(record, state.read(stack.places.state_file))
    wanted = [(each.name, port) for each in record if each.name not in ours for port in each.ports]
    ports.check_free(wanted, stack.ports.base)


def wait_until_ready(places: Places, record: tuple[Process, ...], given_up: dict[str, int], say: Say) -> None:
    """One line for each process as it becomes ready; one given up oftener than `given_up` says has failed."""
    waiting = {process.name: process for process in record}
    began = time.monotonic()
    while waiting:
        if not places.wanted_file.exists():
            raise StartError("stopped by `make down`")
        found = state.of_a_living_supervisor(places.state_file)
        for name, told in found.processes.items() if found else ():
            if name in waiting and _is_up(places, name, told, given_up.get(name, 0)):
                say(_line(waiting.pop(name), told, time.monotonic() - began))
        if time.monotonic() - began > DEADLINE:
            late = ", ".join(_late(name, found) for name in waiting)
            raise StartError(f"not ready after {DEADLINE:.0f} s: {late}\n{_last_lines(places, 'supervisor')}")
        time.sleep(LOOK_EVERY)


def hold_token(stack: Stack) -> None:
    """See that the gateway knows the token in `.clearline/env`, which may have changed since the stack started."""
    token = keys.read_env(stack.places.env_file).get("CLEARLINE_TOKEN", "")
    try:
        known = steps.session_status(stack.ports.gateway, token) == http.HTTPStatus.OK
    except OSError as error:
        raise StartError(f"the gateway does not answer: {error}; see `make status`") from None
    if known:
        return
    step = next(each for each in processes(stack) if each.name == "token")
    done = subprocess.run(  # noqa: S603 - our own step
        step.command, cwd=stack.places.root, env=dict(step.environment), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StartError(f"no token that the gateway accepts: {done.stderr.strip()}")


def _is_up(places: Places, name: str, told: Told, given_up_before: int) -> bool:
    if told.condition == Condition.FAILED and told.given_up > given_up_before:
        raise StartError(f"{name} did not come up: {told.last_error}\n{_last_lines(places, name)}")
    if told.condition == Condition.HALTED:
        raise StartError("\n".join(status.advice(name, told)))
    return told.condition in {Condition.READY, Condition.DONE}


def _late(name: str, found: State | None) -> str:
    told = found.processes.get(name) if found else None
    return f"{name} ({told.says})" if told is not None and told.says else name


def _line(process: Process, told: Told, seconds: float) -> str:
    where = f"  port {process.ports[0]}" if isinstance(process, Service) else ""
    return f"  {process.name:<10} {told.condition:<6} {seconds:5.1f} s{where}"


def _last_lines(places: Places, name: str) -> str:
    lines = logs.tail(places.log(name), _LAST_LINES)
    return "\n".join([f"the end of {places.log(name)}:", *(f"  {line}" for line in lines)])


def _runs_already(stack: Stack) -> bool:
    """Whether a supervisor runs; on other ports than asked for is an error."""
    if state.of_a_living_supervisor(stack.places.state_file) is None:
        return False
    running = stack.places.base_file.read_text().strip()
    if running != str(stack.ports.base):
        raise ports.PortError(
            f"the stack runs on ports from {running}, {ports.SETTING} asks for {stack.ports.base}: `make down` first"
        )
    return True


def _start(places: Places) -> dict[str, int]:
    """How often each process had been given up before: those are tried again."""
    places.wanted_file.touch()
    keeper.ensure(places)
    found = state.of_a_living_supervisor(places.state_file)
    if found is None:
        return {}
    os.kill(found.supervisor.pid, signal.SIGHUP)
    return {name: told.given_up for name, told in found.processes.items()}


def _wait_for_a_stop_under_way(places: Places) -> None:
    deadline = time.monotonic() + DEADLINE
    while (found := state.of_a_living_supervisor(places.state_file)) and found.stopping:
        if time.monotonic() > deadline:
            raise StartError("the stack is still stopping; see `make status`")
        time.sleep(LOOK_EVERY)


def _tell_how_to_go_on(places: Places, seconds: float, say: Say) -> None:
    env = keys.read_env(places.env_file)
    say(f"""
Clearline is up ({seconds:.1f} s).
  Gateway      {env["CLEARLINE_URL"]}
  Admin token  {env["CLEARLINE_TOKEN"]}   (in .clearline/env, which the command line reads)

Next:
  .venv/bin/clearline kinds
  .venv/bin/clearline connections create --name gateway --environment development --kind tcp \\
      --set host=127.0.0.1 --set port={env["CLEARLINE_URL"].rsplit(":", 1)[1]}
  .venv/bin/clearline verify gateway --wait
  make status · make logs SERVICE=verifier · make down""")
