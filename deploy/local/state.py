"""What the supervisor tells others: one JSON file, replaced whole at each change, believed while its writer lives."""

import enum
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

_SAME_BIRTH = 1.0  # seconds; birth times are read with this care because the clock may be set in between


class Condition(enum.StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"  # for what comes before it
    STARTING = "starting"
    READY = "ready"
    UNREADY = "not ready"  # runs, was ready, says what it waits for
    HALTED = "halted"  # runs, and takes nothing more until a person has looked
    SILENT = "silent"  # runs, was ready, does not answer now
    RESTARTING = "restarting"
    FAILED = "failed"  # given up until the next `make up`
    DONE = "done"  # a step
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process is its pid and its birth time: pids are used again."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, if it still is the same one and no zombie."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born) < _SAME_BIRTH
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


@dataclass(slots=True)
class Told:
    """What is told about one process."""

    condition: Condition = Condition.WAITING
    identity: Identity | None = None
    restarts: int = 0
    given_up: int = 0
    last_error: str = ""
    says: str = ""
    """Why it is not ready, in its own words."""


@dataclass(slots=True)
class State:
    """The whole file."""

    supervisor: Identity
    stopping: bool = False
    processes: dict[str, Told] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        unfinished = path.with_name(path.name + ".new")
        unfinished.write_text(json.dumps(asdict(self)))
        os.replace(unfinished, path)  # noqa: PTH105 - one rename, by its name


def read(path: Path) -> State | None:
    """The file as it is, whoever wrote it; None if there is none. A checkout may be newer than what still runs."""
    try:
        raw = json.loads(path.read_text())
        told = {name: _told(each) for name, each in raw["processes"].items()}
        return State(Identity(**raw["supervisor"]), raw.get("stopping", False), told)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(raw: dict[str, Any]) -> Told:
    identity = Identity(**raw["identity"]) if raw.get("identity") else None
    numbers = raw.get("restarts", 0), raw.get("given_up", 0)
    return Told(Condition(raw["condition"]), identity, *numbers, raw.get("last_error", ""), raw.get("says", ""))


def of_a_living_supervisor(path: Path) -> State | None:
    """The file, if its writer runs. One left by a dead supervisor says nothing about now."""
    found = read(path)
    return found if found is not None and found.supervisor.process() is not None else None
