"""uvicorn inside our event loop: we bind the port, we handle the signals, and its stop has a limit."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS = 5
BACKLOG = 2048
KEEP_ALIVE_SECONDS = 30
"""Longer than a person's pause between two clicks; a proxy in front should use less."""


class PortTaken(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another process listens there."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the composition root, which stops the relay after this."""
        yield


class HttpServer:
    """One listener. Raises `PortTaken` when it is made, before anything else has started."""

    limit = DRAIN_SECONDS + 1.0
    """Seconds after `stop` within which `run` has ended."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = _bind(host, port)
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,  # metrics count requests; a log of every URL is a log of what people look at
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on; with port 0 the one that the system gave."""
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Take no new connection, finish what is under way."""
        self._server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; without it every answer waits 40 ms for an ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # now: two that only bound would both believe that the port is theirs
    except OSError as error:
        listener.close()
        taken = f"{host}:{port} cannot be used ({error.strerror}): set CLEARLINE_HTTP_PORT to a free port."
        raise PortTaken(taken) from error
    listener.set_inheritable(False)
    return listener
