"""What no Kafka sends, what ill and old ones send, and brokers that are announced to lead us astray: from stand-ins."""

import asyncio
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.harness.waiting import until

from clearline.probes.kafka_messages import API_VERSIONS, METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE
from clearline.probes.kafka_scram import MAX_ROUNDS, MIN_ROUNDS, Scram, ScramError, check_signature
from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import Behaviour, Listening, serving, silent

PASSWORD = "s3cret-0f-the-shop"
SCRAM: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-256", "user": "shop"}


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("!h", len(raw)) + raw


def array(*items: bytes) -> bytes:
    return struct.pack("!i", len(items)) + b"".join(items)


def api_versions(newest: int = 12) -> bytes:
    return struct.pack("!h", 0) + array(struct.pack("!hhh", METADATA, 0, newest), struct.pack("!hhh", 18, 0, 4))


def topic(name: str, *, error: int = 0, leader: int = 1, operations: int = 0) -> bytes:
    partition = struct.pack("!hiii", 0, 0, leader, 0) + array() * 3
    return struct.pack("!h", error) + text(name) + b"\0" + array(partition) + struct.pack("!i", operations)


def cluster(brokers: Sequence[tuple[int, str, int]], *topics: bytes, name: str = "cluster-1") -> bytes:
    told = [struct.pack("!i", node) + text(host) + struct.pack("!ih", port, -1) for node, host, port in brokers]
    body = struct.pack("!i", 0) + array(*told) + text(name) + struct.pack("!i", 1)
    return body + array(*topics) + struct.pack("!i", 0)


def kafka_saying(answers: Mapping[int, bytes], *, raw: Mapping[int, bytes] | None = None) -> Behaviour:
    """A stand-in that answers each request by its number: with a body, or with `raw` bytes, frame and all."""

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            request = await reader.readexactly(size)
            state.received += request
            key, _version, number = struct.unpack("!hhi", request[:8])
            frame = struct.pack("!i", number) + answers.get(key, b"")
            writer.write((raw or {}).get(key) or struct.pack("!i", len(frame)) + frame)
            await writer.drain()

    return said


async def met(climbing: Any, behaviour: Behaviour, seconds: float = 2, **changed: Any) -> Any:
    async with serving(behaviour) as server:
        config = {"host": "127.0.0.1", "port": server.port} | changed
        credentials = {"password": PASSWORD} if "user" in changed else {}
        verdict = await climbing("kafka", config, credentials, limits=Limits(step_seconds=seconds))
        assert server.sent < 4 * 1024 * 1024
    assert PASSWORD not in str(verdict)
    return verdict


def found(verdict: Any) -> tuple[str, str]:
    assert verdict.failure is not None, verdict
    assert verdict.failure.code not in {"VERIFIER_FAILED", "UNEXPECTED"}, verdict.failure
    return verdict.failure.code, verdict.failure.step


HOSTILE: dict[str, tuple[dict[int, bytes], dict[int, bytes]]] = {
    "a frame of two gibibytes": ({}, {API_VERSIONS: b"\x7f\xff\xff\xff" + b"x" * 1_000_000}),
    "a later frame of two gibibytes": ({API_VERSIONS: api_versions()}, {METADATA: b"\x7f\xff\xff\xff" + b"x" * 10_000}),
    "a frame of less than nothing": ({}, {API_VERSIONS: b"\xff\xff\xff\xff" * 1000}),
    "an empty frame": ({}, {API_VERSIONS: b"\0\0\0\0"}),
    "HTTP": ({}, {API_VERSIONS: b"HTTP/1.1 400 Bad Request\r\n\r\n"}),
    "another request's answer": ({}, {API_VERSIONS: b"\0\0\0\x0e\0\0\0\x63" + api_versions()}),
    "two billion versions": ({API_VERSIONS: b"\0\0\x7f\xff\xff\xff"}, {}),
    "an answer that is cut short": ({API_VERSIONS: api_versions()[:-3]}, {}),
    "nothing in a frame": ({API_VERSIONS: b""}, {}),
    "two billion brokers": ({API_VERSIONS: api_versions(), METADATA: b"\0\0\0\0\x7f\xff\xff\xff"}, {}),
    "a frame full of topics": (
        {API_VERSIONS: api_versions(), METADATA: cluster([(1, "127.0.0.1", 1)], *[topic("")] * 6_000)},
        {},
    ),
    "no text where a text is": (
        {API_VERSIONS: api_versions(), METADATA: cluster([(1, "x", 1)]).replace(b"x", b"\xff")},
        {},
    ),
}


@pytest.mark.parametrize("word", HOSTILE)
async def test_bytes_that_no_kafka_sends_cost_little(climbing: Any, word: str) -> None:
    turns: list[float] = []
    watching = asyncio.ensure_future(_watch(turns))
    answers, raw = HOSTILE[word]
    verdict = await met(climbing, kafka_saying(answers, raw=raw))
    watching.cancel()
    expected = {"PROTOCOL_MISMATCH", "RESPONSE_TOO_LARGE", "ADVERTISED_ADDRESS_UNREACHABLE"}
    assert found(verdict)[0] in expected, verdict.failure
    assert max(turns) < 0.5, "the loop stood still"  # 60 ms where nothing else runs


async def _watch(turns: list[float]) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        turns.append(time.monotonic() - last)
        last = time.monotonic()


def signing_in(*tokens: bytes, error: int = 0) -> Behaviour:
    """A stand-in that offers SCRAM and answers with these tokens in turn, `NONCE` replaced by what it was sent."""
    left = list(tokens)
    handshake = struct.pack("!h", 0) + array(text("SCRAM-SHA-256"))

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        nonce = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            request = await reader.readexactly(size)
            state.received += request
            key, _version, number = struct.unpack("!hhi", request[:8])
            body = {API_VERSIONS: api_versions(), SASL_HANDSHAKE: handshake}.get(key, b"")
            if key == SASL_AUTHENTICATE:
                nonce = request.partition(b",r=")[2] or nonce
                token = left.pop(0).replace(b"NONCE", nonce)
                body = struct.pack("!h", error) + text("no: " + PASSWORD) + struct.pack("!i", len(token)) + token
            writer.write(struct.pack("!ii", len(body) + 4, number) + body)
            await writer.drain()

    return said


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=NONCE1,s=QUFB,i=2147483647",
        b"r=NONCE1,s=QUFB,i=1",
        b"r=NONCE1,s=QUFB,i=-4096",
        b"r=NONCE1,s=QUFB,i=" + b"9" * 5_000,
        b"r=NONCE,s=QUFB,i=4096",
        b"r=another,s=QUFB,i=4096",
        b"r=NONCE1,s=,i=4096",
        b"r=NONCE1,s=" + b"QUFB" * 10_000 + b",i=4096",
        b"r=NONCE1,i=4096",
        b"m=must,r=NONCE1,s=QUFB,i=4096",
        b"\xff\xff",
        b"",
    ],
)
async def test_a_challenge_that_is_none_ends_at_once(climbing: Any, challenge: bytes) -> None:
    begun = time.monotonic()
    verdict = await met(climbing, signing_in(challenge), seconds=5, **SCRAM)
    assert found(verdict) == ("PROTOCOL_MISMATCH", "authenticate"), verdict.failure
    assert time.monotonic() - begun < 3


async def test_a_server_that_cannot_prove_the_password_is_not_believed(climbing: Any) -> None:
    verdict = await met(climbing, signing_in(b"r=NONCE1,s=QUFB,i=4096", b"v=QUFB"), **SCRAM)
    assert found(verdict) == ("PROTOCOL_MISMATCH", "authenticate")
    assert "could not prove" in verdict.failure.operator_detail


async def test_neither_password_nor_a_proof_is_sent_before_a_challenge_that_is_one(climbing: Any) -> None:
    async with serving(signing_in(b"r=NONCE1,s=QUFB,i=1")) as server:
        config = {"host": "127.0.0.1", "port": server.port} | SCRAM
        await climbing("kafka", config, {"password": PASSWORD})
    assert PASSWORD.encode() not in server.received
    assert b"p=" not in server.received


async def test_what_a_server_repeats_of_the_password_is_not_shown(climbing: Any) -> None:
    verdict = await met(climbing, signing_in(b"", error=58), **SCRAM)
    assert found(verdict) == ("AUTH_REJECTED", "authenticate")
    assert "no: [redacted]" in verdict.failure.operator_detail


def test_scram_is_that_of_its_rfc() -> None:
    """RFC 7677, section 3."""
    scram = Scram("sha256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    proof, signature = scram.final(challenge)
    assert proof == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    check_signature(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", signature)
    with pytest.raises(ScramError):
        check_signature(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", signature)
    assert Scram("sha256", "a=b,c", "p", "n").first() == b"n,,n=a=3Db=2Cc,r=n"
    assert MIN_ROUNDS < 16_384 < MAX_ROUNDS  # what Kafka itself allows


@pytest.mark.parametrize(
    ("newest", "topics", "code"),
    [
        (3, (), "PROTOCOL_MISMATCH"),
        (12, (topic("orders", operations=1 << 3 | 1 << 8),), None),
        (12, (topic("orders", operations=1 << 8),), "PERMISSION_MISSING"),
        (12, (topic("orders", operations=-(2**31)),), "PERMISSION_UNKNOWN"),
        (12, (topic("orders", error=29),), "PERMISSION_MISSING"),
        (12, (topic("orders", error=3),), "TOPIC_MISSING"),
        (12, (topic("orders", error=5),), "SERVER_UNAVAILABLE"),
        (12, (topic("orders", error=99),), "PROTOCOL_MISMATCH"),
        (12, (topic("orders", operations=-1, leader=-1),), "SERVER_UNAVAILABLE"),
        (12, (), "PROTOCOL_MISMATCH"),
    ],
)
async def test_what_a_cluster_tells_of_a_topic(
    climbing: Any, newest: int, topics: tuple[bytes, ...], code: str | None
) -> None:
    asked = [{"topic": "orders", "operations": ["read"]}]
    answers = {API_VERSIONS: api_versions(newest)}
    async with serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "127.0.0.1", server.port)], *topics)
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port, "topic_permissions": asked})
    assert (found(verdict)[0] if verdict.failure else None) == code, verdict.failure


async def test_a_broker_too_old_to_tell_permissions_is_not_taken_to_grant_them(climbing: Any) -> None:
    partition = struct.pack("!hii", 0, 0, 1) + array() * 2
    old = struct.pack("!h", 0) + text("orders") + b"\0" + array(partition)
    answers = {API_VERSIONS: api_versions(7)}
    async with serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "127.0.0.1", server.port)], old)[:-4]
        for operation, code in (("describe", None), ("read", "PERMISSION_UNKNOWN")):
            asked = [{"topic": "orders", "operations": [operation]}]
            verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port, "topic_permissions": asked})
            assert (found(verdict)[0] if verdict.failure else None) == code, verdict.failure


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "127.2", "0x7f000002", "2130706434", "::ffff:127.0.0.2", "127.0.0.2.", "[::ffff:7f00:2]"]
)
async def test_no_spelling_of_an_announced_address_is_dialled(climbing: Any, host: str) -> None:
    answers = {API_VERSIONS: api_versions()}
    async with serving(silent, host="127.0.0.2") as canary, serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "127.0.0.1", server.port), (2, host, canary.port)])
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
        assert canary.connections == 0
    assert found(verdict) == ("ADVERTISED_ADDRESS_FORBIDDEN", "exercise"), verdict.failure


@pytest.mark.parametrize("host", ["", "a b", "kafka\nX: y", "x" * 300, "a@b", "http://kafka"])
async def test_an_announced_host_that_is_none_is_told(climbing: Any, host: str) -> None:
    answers = {API_VERSIONS: api_versions()}
    async with serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, host, 9092)])
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
    assert found(verdict) == ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise"), verdict.failure
    assert "\n" not in verdict.failure.operator_detail


async def test_a_name_that_moves_between_judging_and_dialling_leads_nowhere(climbing: Any, moving_name: Any) -> None:
    answers = {API_VERSIONS: api_versions()}
    async with serving(silent, host="127.0.0.2") as canary, serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "kafka-1.example.com", canary.port)])
        moving_name(["127.0.0.1"], ["127.0.0.2"])
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
        assert canary.connections == 0
    assert found(verdict)[0] == "ADVERTISED_ADDRESS_UNREACHABLE"


async def test_a_broker_of_another_cluster_is_told(climbing: Any) -> None:
    here, there = {API_VERSIONS: api_versions()}, {API_VERSIONS: api_versions()}
    async with serving(kafka_saying(here)) as server, serving(kafka_saying(there)) as other:
        here[METADATA] = cluster([(7, "127.0.0.1", other.port)])
        there[METADATA] = cluster([(7, "127.0.0.1", other.port)], name="cluster-2")
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
    assert found(verdict)[0] == "ADVERTISED_ADDRESS_UNREACHABLE"
    assert "another cluster" in verdict.failure.operator_detail


async def test_no_more_brokers_are_dialled_than_a_climb_may(climbing: Any) -> None:
    answers = {API_VERSIONS: api_versions()}
    async with serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(node, "127.0.0.1", server.port) for node in range(500)])
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
        assert server.connections == 1 + 1 + 16
    assert verdict.status == "verified", verdict.failure
    assert (verdict.steps[5].evidence["brokers"], len(verdict.steps[5].evidence["reached"])) == (500, 16)


async def test_every_connection_ends_with_the_climb(climbing: Any, opened: list[asyncio.StreamWriter]) -> None:
    answers = {API_VERSIONS: api_versions()}
    async with serving(kafka_saying(answers)) as server:
        for brokers in ([(1, "127.0.0.1", server.port), (2, "127.0.0.1", server.port)], [(1, "127.0.0.2", 1)]):
            answers[METADATA] = cluster(brokers)
            await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
            assert [writer.transport.is_closing() for writer in opened] == [True] * len(opened)
    assert len(opened) == 4


async def test_cancelling_ends_brokers_that_are_being_reached(
    climbing: Any, opened: list[asyncio.StreamWriter]
) -> None:
    answers = {API_VERSIONS: api_versions()}
    before = asyncio.all_tasks()
    async with serving(silent) as mute, serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(node, "127.0.0.1", mute.port) for node in range(3)])
        running = asyncio.ensure_future(climbing("kafka", {"host": "127.0.0.1", "port": server.port}))
        await until(lambda: mute.connections == 3, within=10)
        running.cancel()
        await asyncio.wait({running}, timeout=3)
        assert running.cancelled()
        assert all(writer.transport.is_closing() for writer in opened)
    await until(lambda: asyncio.all_tasks() <= before, within=5, what="nothing is left running")
