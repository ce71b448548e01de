"""Outermost of the API: every request goes on its caller's trace or begins one (W3C Trace Context)."""

from collections.abc import Callable
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearline.chassis import tracing
from clearline.chassis.traced_messages import TRACEPARENT

_SERVER_ERROR = 500


class Traced:
    """Pure ASGI; the span is named by the route, never by a path, which anybody may choose."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], UUID]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within its trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(TRACEPARENT)
        with tracing.beginning(scope["method"], "server", given=given, new_id=lambda: self._new_id().hex) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, noted)


def _note(span: tracing.Span, scope: Scope, status: int) -> None:
    """In OpenTelemetry's words for an HTTP server."""
    span.note("http.request.method", scope["method"])
    span.note("http.response.status_code", status)
    if (route := getattr(scope.get("route"), "path", None)) is not None:
        span.note("http.route", route)
        span.rename(f"{scope['method']} {route}")
    if (correlation_id := scope.get("state", {}).get("correlation_id")) is not None:
        span.note("clearline.correlation_id", correlation_id)
    if status >= _SERVER_ERROR:
        span.fail(str(status))
