"""One question to a name server, over UDP or TCP, on sockets of our own loop: dnspython's own would dial past it."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message

from clearline.probes.dns_form import DnsConfig, question_name
from clearline.probes.handshake import open_streams
from clearline.probes.probe import Climb, StepFailed

PAYLOAD = 1_232
"""Octets that pass every network unbroken (DNS flag day 2020)."""
RESEND_SECONDS = 2.0
"""A datagram may be lost on the way; this is how long one is waited for."""
ADDRESS_SECONDS = 3.0
"""For one address of a name server that has several."""
STRAY_SECONDS = 1.5
"""How long the right answer may follow a wrong one, which somebody else may have sent."""
WAITING = 64
"""Datagrams kept for reading; a flood's others are lost like on any network."""
HEADER = struct.Struct("!HHHHHH")
"""Number, flags, and how many questions, answers, authorities and additional records follow (RFC 1035, 4.1.1)."""
_NO_ANSWER = "what it sent is no answer to the question"
MAX_RECORDS = 256
"""Of an answer, in all its sections. Reading one takes up to a millisecond of the processor, because its name may point
through 127 labels: a whole answer of such names takes three seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a name server answered, and how it came."""

    message: dns.message.Message
    address: str
    transport: str
    truncated: bool = False
    """Whether UDP was tried first and did not hold the answer."""


async def ask(climb: Climb) -> Reply:
    """The answer to the question of the config. Raises what the network raises, or a finding."""
    config: DnsConfig = climb.config
    query = dns.message.make_query(
        question_name(config.name),
        config.record_type,
        use_edns=0,
        payload=PAYLOAD,
        flags=dns.flags.RD | dns.flags.AD,  # AD asks whether DNSSEC was checked (RFC 6840, section 5.7)
    )
    if config.transport == "tcp":
        return await _over_tcp(climb, query)
    address, message = await _over_udp(climb, query)
    if not message.flags & dns.flags.TC:
        return Reply(message=message, address=address, transport="udp")
    climb.address = address
    return await _over_tcp(climb, query, truncated=True)


async def _over_udp(climb: Climb, query: dns.message.Message) -> tuple[str, dns.message.Message]:
    """The first address that answers; a last one, or an only one, has all the time that the step has."""
    *others, last = climb.addresses
    for address in others:
        try:
            async with asyncio.timeout(ADDRESS_SECONDS):
                return address, await _by_datagram(address, climb.endpoint.port, query)
        except OSError:  # a TimeoutError too
            continue
    return last, await _by_datagram(last, climb.endpoint.port, query)


async def _by_datagram(address: str, port: int, query: dns.message.Message) -> dns.message.Message:
    async with _datagrams(address, port) as (transport, replies):
        sender = asyncio.ensure_future(_sent_again_and_again(transport, query.to_wire()))
        try:
            return await _answer_among(replies.queue, query)
        finally:
            sender.cancel()


async def _sent_again_and_again(transport: asyncio.DatagramTransport, wire: bytes) -> None:
    while True:
        transport.sendto(wire)
        await asyncio.sleep(RESEND_SECONDS)


async def _answer_among(queue: "asyncio.Queue[bytes | Exception]", query: dns.message.Message) -> dns.message.Message:
    """The first datagram that answers this question. Strays are passed over, but not waited out."""
    loop, ends = asyncio.get_running_loop(), None
    while True:
        try:
            async with asyncio.timeout_at(ends):
                received = await queue.get()
                message = received if isinstance(received, Exception) else await _answer_in(received, query)
        except TimeoutError:
            raise _not_dns("answers came that belong to no question of ours") from None
        if isinstance(message, Exception):
            raise message
        if message is not None:
            return message
        ends = ends or loop.time() + STRAY_SECONDS


async def _over_tcp(climb: Climb, query: dns.message.Message, *, truncated: bool = False) -> Reply:
    """Each message is led by its length (RFC 1035, section 4.2.2)."""
    reader, writer = await open_streams(climb)
    wire = query.to_wire()
    writer.write(struct.pack("!H", len(wire)) + wire)
    size, number = struct.unpack("!HH", await reader.readexactly(4))
    if size < HEADER.size or number != query.id:  # at once: another protocol's length would be waited for
        raise _not_dns(_NO_ANSWER)
    message = await _answer_in(struct.pack("!H", number) + await reader.readexactly(size - 2), query)
    if message is None:
        raise _not_dns(_NO_ANSWER)
    return Reply(message=message, address=climb.address or "", transport="tcp", truncated=truncated)


async def _answer_in(wire: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """What these bytes answer to the question, if anything. Read beside the loop, which others need."""
    if len(wire) < HEADER.size:
        return None
    number, _flags, *counts = HEADER.unpack_from(wire)
    if number != query.id:
        return None
    if sum(counts) > MAX_RECORDS:
        raise StepFailed("RESPONSE_TOO_LARGE", field="/config/name", limit=MAX_RECORDS)
    message = await asyncio.to_thread(_read, wire)
    return message if message is not None and query.is_response(message) else None


def _read(wire: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None


def _not_dns(why: str) -> StepFailed:
    return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="DNS", why=why)


class _Replies(asyncio.DatagramProtocol):
    """Keeps what comes, and what the network says, for whoever asked."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue(WAITING)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        self._keep(data)

    def error_received(self, exc: Exception) -> None:
        self._keep(exc)

    def _keep(self, one: bytes | Exception) -> None:
        if not self.queue.full():
            self.queue.put_nowait(one)


@asynccontextmanager
async def _datagrams(address: str, port: int) -> AsyncIterator[tuple[asyncio.DatagramTransport, _Replies]]:
    """A socket that is connected, so that the policy judges the address and strangers' datagrams stay outside."""
    loop = asyncio.get_running_loop()
    transport, replies = await loop.create_datagram_endpoint(_Replies, remote_addr=(address, port))
    try:
        yield transport, replies
    finally:
        transport.abort()
