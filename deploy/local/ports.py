"""Which port belongs to whom, and whether somebody else has it. Two checkouts differ by CLEARLINE_PORT_BASE alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from deploy.local.port_search import DEFAULT_BASE, SPAN, free_base, is_taken, lent

LOWEST, HIGHEST = 1024, 65535 - SPAN
SETTING = "CLEARLINE_PORT_BASE"


class PortError(RuntimeError):
    """A port is taken, or CLEARLINE_PORT_BASE is no port. Nothing was started."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of one stack. +3 to +5 are kept for diagnostics, error-ingest and heartbeat."""

    base: int

    @property
    def gateway(self) -> int:
        return self.base

    @property
    def projector(self) -> int:
        return self.base + 1

    @property
    def verifier(self) -> int:
        return self.base + 2

    @property
    def kafka(self) -> int:
        return self.base + 10

    @property
    def kafka_controller(self) -> int:
        return self.base + 11

    @property
    def postgres(self) -> int:
        return self.base + 12


def chosen_base(surroundings: Mapping[str, str], remembered: Path) -> int:
    """The setting, else the base of the last start, else 8080. Raises PortError."""
    text = surroundings.get(SETTING) or str(last_base(remembered))
    if not text.isdigit() or not LOWEST <= int(text) <= HIGHEST:
        raise PortError(f"{SETTING}={text} is no port to start from: choose a number from {LOWEST} to {HIGHEST}")
    return int(text)


def last_base(remembered: Path) -> int:
    """The base of the last start; 8080 before the first. Raises PortError where the file holds something else."""
    text = remembered.read_text(errors="replace").strip() if remembered.exists() else str(DEFAULT_BASE)
    if not text.isdecimal():
        raise PortError(
            f"{remembered} holds {text[:20]!r}, not the first port of the last start.\n"
            f"Remove the file, and say it once: make up {SETTING}=… (without it: {DEFAULT_BASE})"
        )
    return int(text)


def check_free(ports: Iterable[tuple[str, int]], base: int) -> None:
    """Raise PortError naming the first port that somebody listens on."""
    for name, port in ports:
        if is_taken(port):
            raise PortError(
                f"port {port} (for {name}) is taken{_by_whom(port)}.\n"
                f"Stop what listens there, or move this stack: make up {SETTING}={free_base(base, lent())}"
            )


def _by_whom(port: int) -> str:
    """Best effort: other users' processes may be hidden."""
    try:
        pids = [
            c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.status == "LISTEN"
        ]
        return f" by {psutil.Process(pids[0]).name()} (pid {pids[0]})" if pids and pids[0] else ""
    except psutil.Error:
        return ""
