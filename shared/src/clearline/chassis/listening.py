"""A port that is ours before anything else has started, and a uvicorn that leaves signals to the composition root."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn

BACKLOG = 2048


class PortTaken(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another process listens there."""


class Server(uvicorn.Server):
    """Stops when its owner says so: signals belong to the composition root, which stops other parts too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, variable: str) -> socket.socket:
    """A listening socket. Raises `PortTaken`, which names the setting (`variable`) that would mend it."""
    # With the protocol named, asyncio turns Nagle's algorithm off; without it every answer waits 40 ms for an ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # now: two that only bound would both believe that the port is theirs
    except OSError as error:
        listener.close()
        taken = f"{host}:{port} cannot be used ({error.strerror}): set {variable} to a free port"
        raise PortTaken(taken) from error
    listener.set_inheritable(False)
    return listener
