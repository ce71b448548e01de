"""What no Kafka sends, before and while signing in: from stand-ins, and SCRAM as its RFC has it."""

import asyncio
import struct
import time
from typing import Any

import pytest
from tests.harness.kafka_stand_in import api_versions, array, cluster, kafka_saying, text, topic

from clearline.probes.kafka_messages import API_VERSIONS, METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE
from clearline.probes.kafka_scram import MAX_ROUNDS, MIN_ROUNDS, Scram, ScramError, check_signature
from clearline.probes.kafka_wire import MAX_ITEMS, Answer
from clearline.probes.ladder import Limits
from clearline.probes.probe import StepFailed
from clearline.testing.hostile_servers import Behaviour, Listening, serving

PASSWORD = "s3cret-0f-the-shop"
SCRAM: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-256", "user": "shop"}


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
    "a frame full of versions": ({API_VERSIONS: struct.pack("!hi", 0, 40_000) + b"\0\x03\0\0\0\x0c" * 40_000}, {}),
    "a frame full of topics": (
        {API_VERSIONS: api_versions(), METADATA: cluster([(1, "127.0.0.1", 1)], *[topic("")] * 6_000)},
        {},
    ),
    "no text where a text is": (
        {API_VERSIONS: api_versions(), METADATA: cluster([(1, "x", 1)]).replace(b"x", b"\xff")},
        {},
    ),
}


def test_an_array_may_not_hold_more_than_is_read_at_once() -> None:
    assert Answer(struct.pack("!i", MAX_ITEMS) + b"\0" * MAX_ITEMS).many(Answer.int8) == [0] * MAX_ITEMS
    with pytest.raises(StepFailed) as refused:
        Answer(struct.pack("!i", MAX_ITEMS + 1) + b"\0" * (MAX_ITEMS + 1)).many(Answer.int8)
    assert refused.value.code == "PROTOCOL_MISMATCH"


@pytest.mark.parametrize("port", [-1, 0, 65_536, 2**31 - 1])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_broker_at_a_port_that_there_is_not_is_the_cluster_s_fault(climbing: Any, host: str, port: int) -> None:
    answers = {API_VERSIONS: api_versions(), METADATA: cluster([(1, host, port)])}
    verdict = await met(climbing, kafka_saying(answers))
    assert found(verdict) == ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise")
    assert "PORT_OUT_OF_RANGE" in verdict.failure.operator_detail


@pytest.mark.parametrize("word", HOSTILE)
async def test_bytes_that_no_kafka_sends_cost_little(climbing: Any, word: str) -> None:
    answers, raw = HOSTILE[word]
    verdict = await met(climbing, kafka_saying(answers, raw=raw))
    expected = {"PROTOCOL_MISMATCH", "RESPONSE_TOO_LARGE", "ADVERTISED_ADDRESS_UNREACHABLE"}
    assert found(verdict)[0] in expected, verdict.failure


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
