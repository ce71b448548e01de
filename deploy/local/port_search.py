"""Which ports are free, and which base to suggest. The standard library only: `make doctor` asks before any set-up."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

DEFAULT_BASE = 8080
SPAN = 13  # offsets 0 to 12
_LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_HIGHEST_SUGGESTED = 60_000


def is_taken(port: int) -> bool:
    """Whether a listener is there. SO_REUSEADDR, or the remains of closed connections would look like one."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno in {errno.EADDRINUSE, errno.EACCES}
    with socket.socket() as client:  # somebody on 0.0.0.0, where the system lets both bind
        return client.connect_ex(("127.0.0.1", port)) == 0


def lent(file: Path = _LENT) -> range:
    """The ports that this system lends to outgoing connections; none where it does not say."""
    try:
        first, last = map(int, file.read_text().split())
    except (OSError, ValueError):
        return range(0)
    return range(first, last + 1)


def may_be_lent(base: int, ports: range) -> bool:
    return bool(range(max(base, ports.start), min(base + SPAN, ports.stop)))


def free_base(base: int, ports: range) -> int:
    """The next round base above, or else above 8080, whose whole span is free and never lent."""
    return next(
        (each for each in _round_bases(base) if not may_be_lent(each, ports) and not _any_taken(each)), base + 100
    )


def _round_bases(base: int) -> Iterator[int]:
    yield from range(base + 100, _HIGHEST_SUGGESTED, 100)
    yield from range(DEFAULT_BASE + 100, base, 100)


def _any_taken(base: int) -> bool:
    return any(map(is_taken, range(base, base + SPAN)))
