"""The operations port of a worker: binds at once, so that a taken port is told before anything starts."""

import asyncio

from clearline.chassis.listening import listen, server
from clearline.chassis.ops import OpsApp
from clearline.chassis.settings import ProcessSettings


class OpsServer:
    """Serves an `OpsApp` on `ops_host`:`ops_port`."""

    def __init__(self, app: OpsApp, settings: ProcessSettings) -> None:
        self._socket = listen(settings.ops_host, settings.ops_port, "CLEARLINE_OPS_PORT")
        self._server = server(app, timeout_graceful_shutdown=1)

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
