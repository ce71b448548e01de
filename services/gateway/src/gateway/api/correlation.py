"""Outermost: every request gets a correlation id, every response tells it, and no exception leaves as anything else."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from traceback import format_tb
from uuid import UUID

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearline.catalogue import ClearlineError
from clearline.chassis import correlation
from gateway.api.problem import problem_response

HEADER = "x-correlation-id"
RawHeader = tuple[bytes, bytes]
_DEFAULTS: tuple[RawHeader, ...] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_WITH_ANSWER = "with_answer"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_log = structlog.get_logger(__name__)


class Correlated:
    """Pure ASGI: nothing is buffered, and the context variable is the handler's own."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], UUID]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its correlation id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        correlation_id = given if _WELL_FORMED.fullmatch(given) else self._new_id().hex
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                told = {HEADER: correlation_id, **scope["state"].get(_WITH_ANSWER, {})}
                message["headers"] = [*_with_defaults(message["headers"]), *_encoded(told)]
            await send(message)

        with correlation.bound(correlation_id):
            try:
                await self._app(scope, receive, tell)
            except Exception as error:  # noqa: BLE001 - nothing may leave here but a problem
                # Type and places alone: an exception's text may quote what was sent.
                places = "".join(format_tb(error.__traceback__, limit=-8))  # the frames before are the framework
                _log.error("a request failed unexpectedly", path=scope["path"], error=type(error).__name__, at=places)
                if not started:
                    unexpected = ClearlineError("UNEXPECTED", why=type(error).__name__)
                    response = problem_response(unexpected, instance=scope["path"], correlation_id=correlation_id)
                    await response(scope, receive, tell)


def _with_defaults(headers: Iterable[RawHeader]) -> list[RawHeader]:
    """What is to be said unless the answer itself says otherwise."""
    given = list(headers)
    names = {name for name, _ in given}
    return [*given, *(each for each in _DEFAULTS if each[0] not in names)]


def _encoded(headers: Mapping[str, str]) -> Iterator[RawHeader]:
    return ((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def tell_with_answer(scope: Scope, headers: Mapping[str, str]) -> None:
    """Headers that go out with whatever answer this request gets, a problem too."""
    scope["state"].setdefault(_WITH_ANSWER, {}).update(headers)


def correlation_id_of(scope: Scope) -> str:
    """The id that this request runs under."""
    found: str = scope["state"]["correlation_id"]
    return found
