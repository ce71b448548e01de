"""The one place under every client library where a probe's connections are approved and its bytes are counted.

While the context variable says that a probe is dialling, this event loop asks the policy for the very address before it
connects, resolves names in its own threads, and hands out sockets that count what they read. Libraries that use the
loop need nothing of their own; what dials past it (grpc) gets an approved address as a literal. No uvloop: its
connections are made in C.
"""

import asyncio
import socket
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TypeVar

from clearline.probes.names import AddrInfo, NameLookups
from clearline.probes.outbound import Forbidden, OutboundPolicy, Reason

T = TypeVar("T")
READ_BYTES = 1024 * 1024
"""At most so much of any answer is read, per step."""


class ForbiddenAddressError(OSError):
    """The outbound policy does not let this address be dialled."""

    def __init__(self, verdict: Forbidden) -> None:
        super().__init__(f"{verdict.address}: {verdict.reason}")
        self.verdict = verdict


class ReadBudgetError(OSError):
    """The other side sent more than a step may read."""


@dataclass(slots=True)
class Dial:
    """A probe that is dialling: its policy, what it may still read in this step, and what went against it."""

    policy: OutboundPolicy
    read_bytes: int = READ_BYTES
    resolve_seconds: float = 5.0
    left: int = READ_BYTES
    refused: list[Forbidden] = field(default_factory=list)

    def begin_step(self) -> None:
        """A step has a budget and a record of its own."""
        self.left = self.read_bytes
        self.refused.clear()

    @property
    def exhausted(self) -> bool:
        """Whether this step has read more than it may."""
        return self.left < 0

    def approve(self, address: object) -> None:
        """Raise unless the policy approves this literal address."""
        try:
            verdict = self.policy.judge(ip_address(str(address).partition("%")[0]))
        except ValueError:
            verdict = Forbidden(None, Reason.NOT_AN_ADDRESS)
        if isinstance(verdict, Forbidden):
            self.refused.append(verdict)
            raise ForbiddenAddressError(verdict)

    def count(self, size: int) -> None:
        """Take from what may still be read; raises when it is used up."""
        self.left -= size
        if self.left < 0:
            raise ReadBudgetError("more than the step's read budget")


DIALLING: ContextVar[Dial | None] = ContextVar("clearline_dialling", default=None)


class MeteredSocket(socket.socket):
    """A socket that charges what it reads to the probe in whose context it reads."""

    __slots__ = ()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        _charge(len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        size = super().recv_into(buffer, nbytes, flags)
        _charge(size)
        return size

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        data, origin = super().recvfrom(bufsize, flags)
        _charge(len(data))
        return data, origin


def _charge(size: int) -> None:
    if (dial := DIALLING.get()) is not None:
        dial.count(size)


class OutboundLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with the policy where every connection begins."""

    def __init__(self) -> None:
        super().__init__()
        self._name_lookups = NameLookups()

    def close(self) -> None:
        self._name_lookups.close()
        super().close()

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        dial = DIALLING.get()
        if dial is not None:
            if sock.family not in (socket.AF_INET, socket.AF_INET6):
                dial.approve(None)
            address = await self._literal(sock, address)
            dial.approve(address[0])
            sock.__class__ = MeteredSocket  # same layout; covers sockets that libraries made themselves
        await super().sock_connect(sock, address)
        if dial is not None:
            dial.refused.clear()  # another address of the same name was refused before; this one answers

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        if (dial := DIALLING.get()) is not None:
            dial.approve(address[0])
        return await super().sock_sendto(sock, data, address)

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """While dialling only towards one address, which `sock_connect` then judges."""
        if (dial := DIALLING.get()) is not None and not (options.get("remote_addr") or args[1:2]):
            dial.approve(None)
        return await super().create_datagram_endpoint(protocol_factory, *args, **options)

    async def getaddrinfo(  # type: ignore[override]  # typeshed types the flags of each argument anew
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name that asyncio gives it
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddrInfo]:
        dial = DIALLING.get()
        if dial is None:
            return [*await super().getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)]

        def look_up() -> list[AddrInfo]:
            return [*socket.getaddrinfo(host, port, family, type, proto, flags)]

        async with asyncio.timeout(dial.resolve_seconds):
            return await self._name_lookups.submit(self, look_up)

    async def _literal(self, sock: socket.socket, address: Any) -> Any:
        """The address with a literal in the place of a name, so that what is judged is what is dialled."""
        try:
            ip_address(str(address[0]).partition("%")[0])
        except ValueError:
            found = await self.getaddrinfo(*address[:2], family=sock.family, type=sock.type, proto=sock.proto)
            return found[0][4]
        return address


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the loop that probes need."""
    with asyncio.Runner(loop_factory=OutboundLoop) as runner:
        return runner.run(main)
