"""Looks at PostgreSQL's message headers before asyncpg does, because one bad header would stop the whole process.

asyncpg 0.32 never returns from a message of type zero: its parser turns in C, on the loop's thread, past every deadline
and cancellation. There it also derives SCRAM's key, for as many rounds as the server asks: 2**31 take half an hour. So
whatever comes from a server that a user chose is checked here: known types, sane lengths, a sane number of rounds.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from asyncpg.protocol import Protocol

from clearline.probes.dial import READ_BYTES
from clearline.probes.postgres_answers import WITHOUT_LENGTH, no_process_left
from clearline.probes.probe import StepFailed

BACKEND_TYPES = frozenset(b"123ACDEGHIKNRSTVWZcdnstv")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, those marked (B)."""
FIRST_TYPES = frozenset(b"RENv")
"""What may answer a login: a question, an error, a notice, another version of the protocol."""
HEADER = 5
"""One byte of type, four of length; the length counts itself."""

AUTHENTICATION, MAX_AUTHENTICATION = ord("R"), 8_192
"""Bytes of such a message; those of SCRAM have some hundred."""
SASL_CONTINUE = (11).to_bytes(4, "big")
MAX_ROUNDS = 100_000
"""75 ms of asyncpg's derivation; PostgreSQL's own default of `scram_iterations` is 4,096."""
_ROUNDS = re.compile(rb"(?:^|,)i=(\d{1,6})(?:,|$)")
"""RFC 5802, section 7: the server's first message."""

Refused = Callable[[StepFailed], None]


class Framing:
    """Follows messages through a stream that comes in any pieces."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._begun = False
        self._login: bytearray | None = None

    def fault_in(self, data: bytes) -> StepFailed | None:
        """What is wrong with the messages up to the end of `data`."""
        position = 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                if self._login is not None and (fault := self._follow(data[position : position + step])):
                    return fault
            else:
                step = HEADER - len(self._header)
                self._header += data[position : position + step]
                if len(self._header) == HEADER and (fault := self._judge()):
                    return fault
            position += step
        return None

    def _judge(self) -> StepFailed | None:
        kind, size = self._header[0], int.from_bytes(self._header[1:], "big")
        without_length = self._header == WITHOUT_LENGTH
        self._header.clear()
        first, self._begun = not self._begun, True
        if first and without_length:
            return no_process_left()
        if first and (kind not in FIRST_TYPES or size > READ_BYTES):  # `HTTP` would be a message of 1.4 GB
            why = "it begins with a message with which no login begins"
            return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=why)
        if kind not in BACKEND_TYPES or size < HEADER - 1:
            why = "a message of a type or length that the protocol does not have"
            return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=why)
        limit = MAX_AUTHENTICATION if kind == AUTHENTICATION else READ_BYTES
        if size > limit:
            return StepFailed("RESPONSE_TOO_LARGE", field="/config/port", limit=limit)
        self._login = bytearray() if kind == AUTHENTICATION else None
        self._left = size - (HEADER - 1)
        return None

    def _follow(self, piece: bytes) -> StepFailed | None:
        """A message of the login, judged before its last byte is handed on."""
        assert self._login is not None
        self._login += piece
        if self._left or not self._login.startswith(SASL_CONTINUE):
            return None
        told = _ROUNDS.search(self._login[len(SASL_CONTINUE) :])
        if told and 1 <= int(told[1]) <= MAX_ROUNDS:
            return None
        return StepFailed("AUTH_METHOD_UNSUPPORTED", field="/config/user", method=f"SCRAM beyond {MAX_ROUNDS} rounds")


class Guard(asyncio.Protocol):
    """Stands between a transport and asyncpg's protocol; cuts the connection at the first fault."""

    def __init__(self, inner: Any, refused: Refused, transport: Any = None) -> None:
        self.inner = inner
        self._refused = refused
        self._framing = Framing()
        self._transport = transport
        self._cut = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._cut:
            return
        fault = self._framing.fault_in(data)
        try:
            if fault is None:
                self.inner.data_received(data)
        except Exception as error:  # noqa: BLE001 - asyncpg trips over messages out of turn; the loop would log the bytes
            why = f"the answers are out of turn: {type(error).__name__}"
            fault = StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=why)
        if fault is not None:
            self._refused(fault)
            self._cut_off()

    def _cut_off(self) -> None:
        self.connection_lost(ConnectionAbortedError("cut by Clearline"))
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._cut:
            self._cut = True
            self.inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return bool(self.inner.eof_received())

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class GuardedLoop:
    """The running loop as asyncpg sees it: each of its connections gets a guard. Everything else is the loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, refused: Refused) -> None:
        self._loop = loop
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(self, factory: Callable[[], Any], *args: Any, **options: Any) -> tuple[Any, Any]:
        """Without TLS the first protocol is asyncpg's; with it, one that only reads the answer to the request."""

        def guarded() -> Any:
            made = factory()
            return Guard(made, self._refused) if isinstance(made, Protocol) else made

        transport, protocol = await self._loop.create_connection(guarded, *args, **options)
        return transport, protocol.inner if isinstance(protocol, Guard) else protocol

    async def start_tls(self, transport: Any, protocol: Any, context: Any, **options: Any) -> Any:
        """The encrypted transport, on which asyncpg will set its protocol."""
        encrypted = await self._loop.start_tls(transport, protocol, context, **options)
        return _GuardedTransport(encrypted, self._refused)


class _GuardedTransport:
    """An encrypted transport that puts a guard before the protocol it is given."""

    def __init__(self, transport: Any, refused: Refused) -> None:
        self._transport = transport
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def set_protocol(self, protocol: Any) -> None:
        """Asyncpg has told its protocol of the connection itself."""
        self._transport.set_protocol(Guard(protocol, self._refused, self._transport))
