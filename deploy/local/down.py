"""`make down` and `make reset`: stop everything in the reverse order; the data stays, or goes."""

import os
import shutil
import signal
import time
from collections.abc import Callable

from deploy.local import state
from deploy.local.places import Places
from deploy.local.processes import last_stack, processes
from deploy.local.state import Condition, Identity, State
from deploy.local.supervisor import supervise

Say = Callable[[str], None]
DEADLINE = 120.0
LOOK_EVERY = 0.05
LOCK_PATIENCE = 30.0  # seconds for a supervisor that is just ending


class StopError(RuntimeError):
    """Something did not stop in time; the message says what."""


def down(places: Places, say: Say) -> None:
    """Stop the supervisor with all it runs; then whatever a killed one left."""
    places.wanted_file.unlink(missing_ok=True)
    found = state.of_a_living_supervisor(places.state_file)
    if found is not None:
        os.kill(found.supervisor.pid, signal.SIGTERM)
        _wait(places, found, say)
    if places.run.exists():
        supervise(places, lambda: processes(last_stack(places)), Identity.of(os.getpid()), patience=LOCK_PATIENCE)
    say("stopped; the data is kept in .clearline/data" if found else "nothing runs")


def _wait(places: Places, first: State, say: Say) -> None:
    ran = {name for name, each in first.processes.items() if each.identity is not None}
    deadline = time.monotonic() + DEADLINE
    while first.supervisor.process() is not None:
        ran -= _tell_stopped(places, ran, say)
        if time.monotonic() > deadline:
            raise StopError(f"not stopped after {DEADLINE:.0f} s; see `make status` and {places.log('supervisor')}")
        time.sleep(LOOK_EVERY)
    _tell_stopped(places, ran, say)


def _tell_stopped(places: Places, ran: set[str], say: Say) -> set[str]:
    """The names of those that have stopped, after a line for each."""
    latest = state.read(places.state_file)
    processes = latest.processes if latest else {}
    stopped = {name for name in ran if name in processes and processes[name].condition == Condition.STOPPED}
    for name in sorted(stopped):
        error = processes[name].last_error
        say(f"  {name:<10} stopped{f'  ({error})' if error else ''}")
    return stopped


def reset(places: Places, say: Say, *, force: bool) -> None:
    """Stop, then delete `.clearline/` whole."""
    if not places.folder.exists():
        say("nothing to delete")
        return
    if not force and not _agreed(places):
        say("nothing was deleted")
        return
    down(places, say)
    shutil.rmtree(places.folder)
    say(f"deleted {places.folder}")


def _agreed(places: Places) -> bool:
    question = f"Delete {places.folder} with every connection, credential and log of this stack? [y/N] "
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        raise StopError("`make reset` asks before it deletes; without a terminal: make reset FORCE=1") from None
