"""Reads a body before anything parses it: bounded in size and time, JSON, UTF-8, and meaning only one thing."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearline.catalogue import ClearlineError
from gateway.api import strict_json
from gateway.api.correlation import correlation_id_of
from gateway.api.problem import problem_response
from gateway.api.refusals import Refusals

WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much, and for how long, a request may send."""

    max_bytes: int = 64 * 1024
    """A connection with its envelopes still fits a record on its topic."""
    seconds: float = 10.0


class BodyGuard:
    """Pure ASGI: hands the whole body on in one message, or answers itself."""

    def __init__(self, app: ASGIApp, limits: BodyLimits, refusals: Refusals) -> None:
        self._app = app
        self._limits = limits
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request's body, then pass it on."""
        if scope["type"] != "http" or scope["method"] not in WITH_BODY:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except ClearlineError as error:
            self._refusals.tell(error, scope)
            # The rest of the body was not read: this connection cannot carry another request.
            response = problem_response(
                error,
                instance=scope["path"],
                correlation_id=correlation_id_of(scope),
                headers={"connection": "close"},
            )
            await response(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body, None if the client went away. Raises what is wrong with it."""
        self._check_announced(headers)
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await self._collect(receive)
        except TimeoutError:
            raise ClearlineError("BODY_TOO_SLOW", seconds=self._limits.seconds) from None
        if body:
            check_media_type(headers)
            strict_json.parse(body)
        return body

    def _check_announced(self, headers: Headers) -> None:
        announced = headers.get("content-length", "0")
        if announced.isdigit() and int(announced[:20]) > self._limits.max_bytes:
            raise self._too_large()

    async def _collect(self, receive: Receive) -> bytes | None:
        parts = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts += message.get("body", b"")
            if len(parts) > self._limits.max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(parts)

    def _too_large(self) -> ClearlineError:
        return ClearlineError("BODY_TOO_LARGE", limit=self._limits.max_bytes)


def check_media_type(headers: Headers) -> None:
    """JSON in UTF-8, not compressed. Raises MEDIA_TYPE_UNSUPPORTED."""
    media_type, *parameters = headers.get("content-type", "").lower().replace(" ", "").split(";")
    charset = [each for each in parameters if each.startswith("charset=")]
    plain = headers.get("content-encoding", "identity").lower() == "identity"
    if media_type != "application/json" or charset not in ([], ["charset=utf-8"], ['charset="utf-8"']) or not plain:
        raise ClearlineError("MEDIA_TYPE_UNSUPPORTED", expected="application/json")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the connection tells."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
