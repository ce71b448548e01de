"""Where the harness keeps and finds things: the shared cache of jars, free ports, names nobody else has."""

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JAR_CACHE = ROOT / ".clearline" / "cache" / "jars"  # the same as the local stack's: fetched once
_PORTS, _ROWS = range(10_000, 20_000), 8


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago, all different.

    Below those that systems lend to outgoing connections, and from a row that no other worker of this run draws from.
    """
    with ExitStack() as stack:
        return [_bound(stack) for _ in range(count)]


def _bound(stack: ExitStack) -> int:
    row = range(_PORTS.start + _worker() % _ROWS, _PORTS.stop, _ROWS)
    for port in secrets.SystemRandom().sample(row, len(row)):
        candidate = stack.enter_context(socket.socket())
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise OSError(f"every port of {row} is taken")


def _worker() -> int:
    """Which of pytest-xdist's workers this is: gw0, gw1 …"""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def unique(prefix: str) -> str:
    """A name that no other test and no earlier run uses: topics, groups, databases."""
    return f"{prefix}-{secrets.token_hex(5)}"
