"""Kind `dns` and servers that answer as no good one does: forged, truncated, of another question, lost."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

Answer = Callable[[dns.message.Message], Iterator[bytes]]


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


def question(port: int, **more: Any) -> dict[str, Any]:
    return {"name": "www.example.com", "resolver": "127.0.0.1", "port": port} | more


@asynccontextmanager
async def answering_by_datagram(answer: Answer) -> AsyncIterator[int]:
    """A stand-in that answers each question with whatever `answer` makes of it."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            for wire in answer(dns.message.from_wire(data)):
                self.transport.sendto(wire, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def right(query: dns.message.Message) -> dns.message.Message:
    message = dns.message.make_response(query)
    message.flags |= dns.flags.RA | dns.flags.AD
    message.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.1"))
    return message


def forged(query: dns.message.Message) -> Iterator[bytes]:
    message = right(query)
    message.id = (query.id + 1) % 65_536
    yield message.to_wire()


def forged_and_right(query: dns.message.Message) -> Iterator[bytes]:
    yield from forged(query)
    yield b"\0" * 11
    yield right(query).to_wire()


def of_another_name(query: dns.message.Message) -> Iterator[bytes]:
    message = right(dns.message.make_query("elsewhere.example", "A"))
    message.id = query.id
    yield message.to_wire()


def echoed(query: dns.message.Message) -> Iterator[bytes]:
    yield query.to_wire()


def bogus(query: dns.message.Message) -> Iterator[bytes]:
    message = dns.message.make_response(query)
    message.set_rcode(dns.rcode.SERVFAIL)
    message.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS, "no signature fits")])
    yield message.to_wire()


def truncated(query: dns.message.Message) -> Iterator[bytes]:
    message = dns.message.make_response(query)
    message.flags |= dns.flags.TC
    yield message.to_wire()


@pytest.mark.parametrize(
    ("answer", "code", "field"),
    [
        (forged, "PROTOCOL_MISMATCH", "/config/port"),
        (of_another_name, "PROTOCOL_MISMATCH", "/config/port"),
        (echoed, "PROTOCOL_MISMATCH", "/config/port"),
        (lambda _query: iter([b"HTTP/1.1 400 Bad Request\r\n\r\n"]), "PROTOCOL_MISMATCH", "/config/port"),
        (bogus, "DNS_SERVER_FAILED", "/config/name"),
        (truncated, "CONNECTION_REFUSED", "/config/port"),
        (lambda query: (right(query).to_wire() for _ in range(500)), None, None),
        (forged_and_right, None, None),
    ],
    ids=["forged", "of_another_name", "echoed", "http", "bogus", "truncated", "flood", "forged_and_right"],
)
async def test_an_answer_counts_only_if_it_answers_the_question(
    climbing: Any, answer: Answer, code: str | None, field: str | None
) -> None:
    async with answering_by_datagram(answer) as port:
        verdict = await climbing("dns", question(port))
    if code is None:
        assert verdict.status == "verified", verdict.failure
        assert verdict.steps[2].evidence["dnssec_authenticated"] is True
    else:
        assert found(verdict) == (code, "exercise", field)


def slow_to_read(query: dns.message.Message) -> bytes:
    """As much as a message holds, of records whose names point through 127 labels: 3 s of a processor."""
    name = query.question[0].name.to_wire() or b""
    head = query.to_wire()[:12] + name + struct.pack("!HH", 1, 1)
    long_name, rest = b"\x01a" * 126 + b"\0", struct.pack("!HHIHI", 1, 1, 60, 4, 0xC0000201)
    pointing = struct.pack("!H", 0xC000 | len(head)) + rest
    count = (65_000 - len(head) - len(long_name)) // len(pointing)
    counted = head[:2] + struct.pack("!5H", 0x8180, 1, count + 1, 0, 0) + head[12:]
    return counted + long_name + rest + pointing * count


async def test_an_answer_that_takes_seconds_to_read_is_not_read(climbing: Any) -> None:
    async with answering_by_datagram(lambda query: iter([slow_to_read(query)] * 8)) as port:
        begun = time.process_time()
        verdict = await climbing("dns", question(port))
    assert time.process_time() - begun < 1
    assert found(verdict) == ("RESPONSE_TOO_LARGE", "exercise", "/config/name")
    assert "more than 256 bytes or records" in verdict.failure.operator_detail


async def test_what_a_server_says_of_its_failure_reaches_operators(climbing: Any) -> None:
    async with answering_by_datagram(bogus) as port:
        verdict = await climbing("dns", question(port))
    assert "no signature fits" in verdict.failure.operator_detail
    assert "no signature fits" not in verdict.failure.message


async def test_a_lost_datagram_is_sent_again(climbing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearline.probes.dns_exchange.RESEND_SECONDS", 0.05)
    seen: list[int] = []

    def second_time(query: dns.message.Message) -> Iterator[bytes]:
        seen.append(query.id)
        if len(seen) > 1:
            yield right(query).to_wire()

    async with answering_by_datagram(second_time) as port:
        assert (await climbing("dns", question(port))).status == "verified"


async def test_an_answer_over_tcp_that_is_none_is_another_protocol(climbing: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        await reader.readexactly(size)
        writer.write(struct.pack("!H", 4) + b"spam")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        verdict = await climbing("dns", question(port, transport="tcp"))
    assert found(verdict) == ("PROTOCOL_MISMATCH", "exercise", "/config/port")
