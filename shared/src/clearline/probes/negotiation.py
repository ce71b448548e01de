"""One TLS handshake by hand, over plain streams: what a server presents can be read also when the handshake fails."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

BLOCK = 16 * 1024
FAREWELL_SECONDS = 1.0
"""For the server's answer to our farewell: three times around the world. Most answer at once."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Presented:
    """How far a handshake came."""

    version: str | None
    cipher: str | None
    """Agreed on as soon as the server has answered at all."""
    chain: tuple[bytes, ...]
    """Certificates as they were sent (DER), the server's own first."""


class Negotiation:
    """The client's side of one handshake."""

    def __init__(self, streams: Streams, context: ssl.SSLContext, server_name: str) -> None:
        self._reader, self._writer = streams
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._heard = False

    async def shake(self) -> None:
        """Until both sides agree. Raises what `ssl` raises, and `ConnectionError`."""
        await self._until_done(self._tls.do_handshake)
        self._heard = False

    async def farewell(self) -> None:
        """Say goodbye and hear what the server says: in TLS 1.3 it refuses a client only after the handshake.

        Raises as `listen` does. A server that no longer reads may reset the line over our goodbye, which swallows its
        own last word: only `listen` alone tells for certain.
        """
        with suppress(ssl.SSLWantReadError):  # nothing that came is lost: reading begins below
            self._tls.unwrap()
        self._flush()
        with suppress(ssl.SSLZeroReturnError):  # it says goodbye too
            await self.listen()

    async def listen(self) -> None:
        """Until the server has said something or nothing for a while: both are good, it waits for us.

        Raises `ssl.SSLError` for its alarm, and that or `ConnectionError` where it hangs up without a single word.
        """
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._until_done(lambda: self._tls.read(1))
        except TimeoutError:
            return
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            if not self._heard:
                raise

    def presented(self) -> Presented:
        """What is known now, however the handshake went."""
        cipher = self._tls.cipher()
        return Presented(self._tls.version(), cipher[0] if cipher else None, _chain(self._tls))

    def abort(self) -> None:
        """End the connection."""
        self._writer.transport.abort()

    async def _until_done(self, act: Callable[[], object]) -> None:
        while self._wants_more(act):
            if data := await self._reader.read(BLOCK):
                self._heard = True
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _wants_more(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError as error:
            if error.reason == "UNEXPECTED_EOF_WHILE_READING" and not isinstance(error, ssl.SSLEOFError):
                ended = ssl.SSLEOFError(*error.args)  # Python 3.11.2 does not tell it apart
                ended.reason = error.reason
                raise ended from error
            raise
        finally:
            self._flush()  # also when it fails: that is our alarm, which says why
        return False

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """Python 3.13 made the method public; until then it is on the object within, and answers with other types."""
    inner: Any = tls if hasattr(tls, "get_unverified_chain") else tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    chain = inner.get_unverified_chain() or ()
    return tuple(one if isinstance(one, bytes) else ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain)
