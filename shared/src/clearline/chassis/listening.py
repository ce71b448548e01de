"""A port that is ours before anything else has started, and a uvicorn that leaves signals to the composition root."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from clearline.chassis.bounded_http import BoundedHttp

BACKLOG = 2048


class PortTaken(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another process listens there."""


class Server(uvicorn.Server):
    """Stops when its owner says so: signals belong to the composition root, which stops other parts too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: Any, **settings: Any) -> Server:
    """A server with what both of ours share; `settings` are uvicorn's own."""
    return Server(
        uvicorn.Config(
            app,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # metrics count requests; a log of every URL is a log of what people look at
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            **settings,
        )
    )


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
