"""`make restart` and `make sealing-key`: one process begins anew under the supervisor, with the settings of now."""

import os
import signal
import time
from collections.abc import Callable

from deploy.local import keys, state
from deploy.local.places import Places
from deploy.local.state import Condition, Identity

Say = Callable[[str], None]
DEADLINE = 60.0  # seconds: our services hand their work back within 20 and are ready in 3
LOOK_EVERY = 0.05


class RestartError(RuntimeError):
    """The process could not be started anew; the message says why."""


def restart(places: Places, name: str, say: Say) -> None:
    """Ask the process to stop, and return when the one that the supervisor starts instead is ready."""
    before = _running(places, name)
    began = time.monotonic()
    os.kill(before.pid, signal.SIGTERM)
    while not _is_another_ready(places, name, before):
        if time.monotonic() - began > DEADLINE:
            raise RestartError(f"{name} is not ready again after {DEADLINE:.0f} s; see `make logs SERVICE={name}`")
        time.sleep(LOOK_EVERY)
    say(f"  {name:<10} ready  {time.monotonic() - began:5.1f} s")


def new_sealing_key(places: Places, say: Say) -> None:
    """A new pair beside the old one: the verifier may open both before the gateway seals for the new one."""
    for name in ("verifier", "gateway"):
        _running(places, name)  # before anything is changed
    key_id, public = keys.add_sealing_key(places)
    restart(places, "verifier", say)
    keys.set_public_key(places, public)
    restart(places, "gateway", say)
    say(f"New credentials are sealed for {key_id}. Next: .venv/bin/clearline keys rotate --wait")


def _running(places: Places, name: str) -> Identity:
    found = state.of_a_living_supervisor(places.state_file)
    if found is None:
        raise RestartError("nothing runs; `make up` starts it")
    told = found.processes.get(name)
    if told is None or told.identity is None:
        services = ", ".join(each for each, known in found.processes.items() if known.identity)
        raise RestartError(f"no process {name or 'without a name (SERVICE=)'} runs; there are {services}")
    return told.identity


def _is_another_ready(places: Places, name: str, before: Identity) -> bool:
    found = state.of_a_living_supervisor(places.state_file)
    told = found.processes.get(name) if found else None
    if told is not None and told.condition == Condition.FAILED:
        raise RestartError(f"{name} did not come up: {told.last_error}")
    if told is None or told.identity in (None, before):
        return False
    if told.condition == Condition.HALTED:
        raise RestartError(f"{name} has halted again: {told.says}")
    return told.condition == Condition.READY
