"""Why a process ended, in a line: by which signal, or with what its log said since it was started."""

import json
from dataclasses import dataclass

from deploy.local.ports import SETTING
from deploy.local.processes import Process, Service

_IN_USE = "address already in use"  # PostgreSQL's, Java's and Python's words


@dataclass(frozen=True, slots=True)
class Ending:
    """What is told, and whether somebody had the port: that may pass, when it was lent to an outgoing connection."""

    text: str
    port_was_taken: bool = False


def ending(process: Process, code: int | None, said: list[str]) -> Ending:
    """`code` as asyncio gives it, None where only its parent could know; `said` since the start, the last line last."""
    if code is None:
        return Ending("was killed or exited")
    if code < 0:
        return Ending(f"killed by signal {-code}")
    if code == 0:
        return Ending("exit 0")
    if isinstance(process, Service) and process.ports and any(_IN_USE in line.lower() for line in said):
        numbers = " or ".join(map(str, process.ports))
        return Ending(f"port {numbers} is in use; stop what has it, or choose another {SETTING}", port_was_taken=True)
    return Ending(f"exit {code}: {event(said[-1])}" if said else f"exit {code}")


def event(line: str) -> str:
    """What a line of a JSON log says, on one line; any other line as it is."""
    try:
        told = json.loads(line)["event"]
    except (ValueError, KeyError, TypeError):
        told = line
    return " ".join(str(told).split())
