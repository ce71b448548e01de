"""Where the harness keeps and finds things: the shared cache of jars, free ports, names nobody else has."""

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JAR_CACHE = ROOT / ".clearline" / "cache" / "jars"  # the same as the local stack's: fetched once


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def unique(prefix: str) -> str:
    """A name that no other test and no earlier run uses: topics, groups, databases."""
    return f"{prefix}-{secrets.token_hex(5)}"
