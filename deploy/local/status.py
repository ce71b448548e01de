"""`make status` and `make logs`: what runs, and what it says."""

import os
from collections.abc import Callable

import psutil
from deploy.local import keeper, leftovers, state
from deploy.local.places import Places
from deploy.local.processes import Process, Service, last_stack, processes, services
from deploy.local.state import Condition, Told

Say = Callable[[str], None]
_ERROR_WIDTH = 100


class UnknownServiceError(ValueError):
    """There is no log of that name."""


def status(places: Places, say: Say) -> bool:
    """One line per process: pid, state, port, memory, last error. True if all is as it should be."""
    found = state.of_a_living_supervisor(places.state_file)
    if found is None:
        return _without_supervisor(places, say)
    say(f"{'process':<11}{'pid':>8}  {'state':<11}{'port':>6}{'memory':>10}  last error")
    for process in processes(last_stack(places)):
        say(_line(process, found.processes.get(process.name, Told())))
    memory = _memory(found.supervisor.pid, family=False)
    say(f"{'supervisor':<11}{found.supervisor.pid:>8}  {'running':<11}{'':>6}{memory:>10}")
    for name, told in found.processes.items():
        for line in advice(name, told):
            say(line)
    if keeper.find(places) is None:
        say("nobody would start a killed supervisor again; `make up` mends that")
    return all(each.condition in {Condition.READY, Condition.DONE} for each in found.processes.values())


def advice(name: str, told: Told) -> list[str]:
    """What a process that runs and is not ready says, and what a person does about one that waits for a person."""
    match told.condition:
        case Condition.HALTED:
            return [f"{name} has stopped and waits for a person: {told.says}", *_steps_after_halt(name)]
        case Condition.UNREADY | Condition.STARTING if told.says:
            return [f"{name} is not ready: {told.says}"]
        case Condition.SILENT:
            return [f"{name} runs and does not answer; its last words: make logs SERVICE={name}"]
        case _:
            return []


def _steps_after_halt(name: str) -> list[str]:
    """In order; the guide has the whole of it."""
    return [
        "  1. look at the letters:   .venv/bin/clearline dead-letters list --since 1h",
        f"  2. once it is mended:     make restart SERVICE={name}",
        "  3. then send them again:  .venv/bin/clearline dead-letters replay --since 1h --dry-run",
        "  More: docs/guides/dead-letters.md, the chapter A consumer has stopped",
    ]


def _without_supervisor(places: Places, say: Say) -> bool:
    left = leftovers.find(services(last_stack(places)), state.read(places.state_file)) if places.run.exists() else {}
    for name, identity in left.items():
        say(f"{name} runs without a supervisor (pid {identity.pid}); `make up` adopts it, `make down` stops it")
    if not left:
        say("nothing runs; `make up` starts it")
    return False


def _line(process: Process, told: Told) -> str:
    pid = str(told.identity.pid) if told.identity else "-"
    port = str(process.ports[0]) if isinstance(process, Service) else ""
    memory = _memory(told.identity.pid) if told.identity else ""
    again = f"[{told.restarts} restarts] " if told.restarts else ""
    error = f"{again}{told.last_error[:_ERROR_WIDTH]}"
    return f"{process.name:<11}{pid:>8}  {told.condition:<11}{port:>6}{memory:>10}  {error}".rstrip()


def _memory(pid: int, *, family: bool = True) -> str:
    """Resident memory of a process, and of its children."""
    try:
        process = psutil.Process(pid)
        counted = [process, *(process.children(recursive=True) if family else ())]
        return f"{sum(each.memory_info().rss for each in counted) / 1e6:.0f} MB"
    except psutil.Error:
        return "-"


def follow(places: Places, name: str) -> None:
    """Become `tail -F` of one log, or of all; Ctrl-C ends it."""
    known = sorted(path.stem for path in places.logs.glob("*.log"))
    if not known:
        raise UnknownServiceError("there are no logs yet; `make up` starts the stack")
    if name and name not in known:
        raise UnknownServiceError(f"there is no log named {name}; there are {', '.join(known)}")
    files = [str(places.log(each)) for each in ([name] if name else known)]
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606, S607 - a usual Unix tool, no shell
