"""uvicorn inside our event loop: we bind the port, we handle the signals, and its stop has a limit."""

from starlette.types import ASGIApp

from clearline.chassis.listening import listen, server

DRAIN_SECONDS = 5
KEEP_ALIVE_SECONDS = 30
"""Longer than a person's pause between two clicks; a proxy in front should use less."""


class HttpServer:
    """One listener. Raises `PortTaken` when it is made, before anything else has started."""

    limit = DRAIN_SECONDS + 1.0
    """Seconds after `stop` within which `run` has ended."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = listen(host, port, "CLEARLINE_HTTP_PORT")
        self._server = server(app, timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=DRAIN_SECONDS)

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
