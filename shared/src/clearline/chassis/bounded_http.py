"""HTTP/1.1 whose heads are bounded in size, number and time: uvicorn's parser would collect a header for ever.

Whoever reaches the port can send one, without a token. Bodies are for the application to bound.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
HEAD_SECONDS = 10.0
SLICE_BYTES = 4 * 1024
"""The parser tells nothing of a header that goes on, so what it is given at once is what may pass the limit by."""


class TooManyHeaders(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """The parser stops when a callback raises."""


class BoundedHttp(HttpToolsProtocol):
    """One connection. It ends with 408 or 431 where a request never gets as far as the application."""

    head_seconds = HEAD_SECONDS
    new_id: Callable[[], UUID] = staticmethod(uuid4)
    """Of a refusal's reference, which every answer has; a log line for each would be a log to be filled."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._silent_bytes = 0
        """Fed since the parser last told of progress: a head, trailers or chunk sizes that go on and on."""
        self._told = False
        self._begun = False
        """A request has begun and is not wholly here."""
        self._in_head = True
        self._too_large = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A connection that says nothing is closed too."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to watch."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser in slices, as long as it makes something of them."""
        self._unset_keepalive_if_required()
        if self._in_head:
            self._watch()
        for start in range(0, len(data), SLICE_BYTES):
            if self.transport.is_closing():
                return
            self._feed(data[start : start + SLICE_BYTES])
        if self._in_head and self._begun:
            self._watch()

    def _feed(self, part: bytes) -> None:
        self._told = False
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:  # answered as if nobody had asked for it; saying so is a log to be filled
            pass
        except httptools.HttpParserError:
            return self._refuse(431 if self._too_large else 400)
        self._silent_bytes = 0 if self._told else self._silent_bytes + len(part)
        if self._silent_bytes > MAX_HEAD_BYTES:
            self._refuse(431)
        return None

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._told = self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: they are kept in one list."""
        if len(self.headers) >= MAX_HEADERS:
            self._too_large = True
            raise TooManyHeaders
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From here on the application bounds it."""
        self._told, self._in_head = True, False
        self._unwatch()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Progress that the application sees."""
        self._told = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next byte is the next request's."""
        self._told, self._in_head, self._begun = True, True, False
        self._unwatch()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A body that nobody waited for may not keep the connection."""
        super().on_response_complete()
        if self._begun and not self._in_head and not self.transport.is_closing():
            self._watch()

    # The end.

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._late)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._answering:
            self._watch()  # an earlier request of this connection has its own limits
        elif self._begun and self._in_head:
            self._refuse(408)
        else:
            self.transport.close()

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation hides that there is none at first
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int) -> None:
        """Say so where no other answer is under way, and close."""
        self._unwatch()
        if not self._answering and not self.transport.is_closing():
            self.transport.write(_answer(HTTPStatus(status), self.new_id().hex))
        self.transport.close()


def _answer(status: HTTPStatus, correlation_id: str) -> bytes:
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": _WHY[status.value],
        "correlation_id": correlation_id,
    }
    body = orjson.dumps(problem)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n"
        f"x-correlation-id: {correlation_id}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


_WHY = {
    400: "This is not HTTP/1.1: an unknown method, version or length, or no request at all.",
    408: f"The request's headers took longer than {HEAD_SECONDS:.0f} seconds.",
    431: f"A request may have {MAX_HEADERS} headers and {MAX_HEAD_BYTES // 1024} KiB of them.",
}
