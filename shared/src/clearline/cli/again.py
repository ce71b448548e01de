"""Sends a request whose connection was lost once more: its idempotency key keeps it from being done twice."""

from collections.abc import Callable

import httpx2

TRIES = 4
PAUSE_SECONDS = 1.0
"""What the gateway says while the first one is still at work; long enough for one that is started again."""
HEADER = "idempotency-key"
CONFLICT = 409
IN_USE = "IDEMPOTENCY_KEY_IN_USE"
LOST = (httpx2.ReadError, httpx2.WriteError, httpx2.CloseError, httpx2.RemoteProtocolError)
"""The connection broke; whether the request was carried out is not known. A time-out is not among them: it waited."""


def send_again(client: httpx2.Client, request: httpx2.Request, sleep: Callable[[float], None]) -> httpx2.Response:
    """The answer. Only what bears a key is sent again, and only where its connection was lost. Or a TransportError."""
    lost = False
    for left in reversed(range(TRIES)):
        try:
            response = client.send(request)
        except (*LOST, httpx2.ConnectError) as error:
            lost = lost or isinstance(error, LOST)
            if not left or not lost or HEADER not in request.headers:
                raise
        else:
            if not (left and lost and _at_work(response)):
                return response
        sleep(PAUSE_SECONDS)
    raise AssertionError("the last try returns or raises")


def _at_work(response: httpx2.Response) -> bool:
    """The lost one is being carried out at this moment."""
    return response.status_code == CONFLICT and IN_USE in response.text
