"""Requests that are sent once more: after a lost connection, made safe by their idempotency key, and after a 429."""

from collections.abc import Callable
from typing import TypeVar

import httpx2

from clearline.cli.answers import Problem
from clearline.cli.ends import RefusedError

T = TypeVar("T")

TRIES = 4
PAUSE_SECONDS = 1.0
"""What the gateway says while the first one is still at work; long enough for one that is started again."""
HEADER = "idempotency-key"
CONFLICT = 409
IN_USE = "IDEMPOTENCY_KEY_IN_USE"
TOO_MANY = 429
SHORTEST_PAUSE = 0.2
TOO_MANY_TESTS = "TOO_MANY_TESTS"
LOOK_FOR_A_PLACE = 2.0
"""Seconds until it is asked again whether a pending test has ended."""
MAX_WAITED = 300.0
"""Seconds that one request waits in all for its turn under a rate limit, where the command waits at all."""
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


def when_allowed(send: Callable[[], T], sleep: Callable[[float], None] | None) -> T:
    """What `send` gives, sent again after as long as each 429 says; without `sleep` the first 429 is the end."""
    waited = 0.0
    while True:
        try:
            return send()
        except RefusedError as refused:
            pause = _pause(refused.problem)
            if refused.problem.status != TOO_MANY or sleep is None or waited + pause > MAX_WAITED:
                raise
            sleep(pause)
            waited += pause


def _pause(problem: Problem) -> float:
    """As long as it says. Of pending tests it says when the first one ends at the latest; most end long before."""
    told = max(problem.retry_after_seconds or SHORTEST_PAUSE, SHORTEST_PAUSE)
    return min(told, LOOK_FOR_A_PLACE) if problem.code == TOO_MANY_TESTS else told


def _at_work(response: httpx2.Response) -> bool:
    """The lost one is being carried out at this moment."""
    return response.status_code == CONFLICT and IN_USE in response.text
