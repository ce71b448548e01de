"""The operations port of a worker: binds at once, so that a taken port is told before anything starts."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from clearline.chassis.ops import OpsApp
from clearline.chassis.settings import ProcessSettings


class PortTaken(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Another process listens on the operations port already."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the worker, which stops this server last."""
        yield


class OpsServer:
    """Serves an `OpsApp` on `ops_host`:`ops_port`."""

    def __init__(self, app: OpsApp, settings: ProcessSettings) -> None:
        self._socket = _bind(settings.ops_host, settings.ops_port)
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on; with `ops_port` 0 the one that the system gave."""
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serve until cancelled."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await asyncio.wait({serving}, timeout=2)
            self._socket.close()


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"{host}:{port} cannot be used ({error.strerror}): set CLEARLINE_OPS_PORT to a free port"
        ) from error
    listener.set_inheritable(False)
    return listener
