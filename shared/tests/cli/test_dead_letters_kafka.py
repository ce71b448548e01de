"""`clearline dead-letters` on a real Kafka: listed, looked at without their secrets, and sent again once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shared.tests.chassis.conftest import read_all
from shared.tests.cli.fake_gateway import Clearline, Result
from tests.harness.kafka import KafkaServer
from tests.harness.places import free_ports

from clearline.chassis.clock import SystemClock
from clearline.chassis.dead_letter import DeadLetters
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Dead, DeadReason
from clearline.chassis.producer import Producer
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.topics import provision
from clearline.contracts.ids import dead_letter_id
from clearline.contracts.topics import DEAD_LETTERS, TOPICS, VERIFICATION_REQUESTS

SECRET = "hunter2-s3cret"
Call = Callable[..., Awaitable[Result]]


@dataclass
class Record:
    """As a consumer read it before it gave it up."""

    offset: int
    value: bytes
    topic: str = VERIFICATION_REQUESTS.name
    partition: int = 3
    timestamp: int = 0
    key: bytes | None = b"a-connection"
    headers: tuple[tuple[str, bytes], ...] = (("ce_type", b"clearline.x.v1"), ("x-foreign", SECRET.encode()))

    @property
    def id(self) -> str:
        return str(dead_letter_id(self.topic, self.partition, self.offset))


LETTERS = (
    Record(1, json.dumps({"kind": "tcp", "note": SECRET}).encode()),
    Record(2, SECRET.encode(), key=None),
    Record(3, b"{}", topic="somebody-elses"),
)


@pytest.fixture(scope="module")
async def written(own_kafka: KafkaServer) -> str:
    """Three letters on a Kafka with Clearline's topics; the first one twice, as after a kill."""
    await provision(TOPICS, KafkaSettings(bootstrap_servers=(own_kafka.bootstrap,)), SystemClock())
    await write(own_kafka.bootstrap, [LETTERS[0], *LETTERS], DeadReason.WRONG_SCHEMA)
    return own_kafka.bootstrap


async def write(bootstrap: str, records: Sequence[Any], reason: DeadReason) -> None:
    settings, clock, metrics = KafkaSettings(bootstrap_servers=(bootstrap,)), SystemClock(), Metrics()
    producer = Producer(settings=settings, metrics=metrics, clock=clock, client_id="test")
    dead_letters = DeadLetters(producer, DEAD_LETTERS, "clearline-verifier", metrics, clock)
    for record in records:
        await dead_letters.write(record, Dead(reason, "what is wrong"))
    await producer.stop()


@pytest.fixture
def call(clearline: Clearline, written: str) -> Call:
    async def on_another_thread(*arguments: str, **more: Any) -> Result:
        env = {"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": written}
        return await asyncio.to_thread(clearline, "dead-letters", *arguments, env=env, **more)

    return on_another_thread


async def waiting(call: Call, *more: str) -> dict[str, dict[str, Any]]:
    result = await call("list", "--output", "json", *more)
    assert result.code == 0, result.err
    return {one["id"]: one for one in json.loads(result.out)["items"]}


async def test_a_letter_is_listed_once_and_shown_without_its_secrets(call: Call, tmp_path: Path) -> None:
    listed = await waiting(call)
    assert set(listed) == {record.id for record in LETTERS}
    one = listed[LETTERS[0].id]
    assert one["origin"] == {"topic": VERIFICATION_REQUESTS.name, "partition": "3", "offset": "1"}
    assert (one["reason"], one["detail"], one["group"]) == ("wrong_schema", "what is wrong", "clearline-verifier")
    assert set(await waiting(call, "--topic", "somebody-elses")) == {LETTERS[2].id}
    assert await waiting(call, "--reason", "oversize") == {}
    assert "No dead letter fits." in (await call("list", "--reason", "oversize")).err
    table = await call("list")
    assert table.out.count(VERIFICATION_REQUESTS.name) == 2

    raw = tmp_path / "body"
    for record in LETTERS[:2]:
        shown = await call("show", record.id[:8])
        assert shown.code == 0, shown.err
        assert SECRET not in shown.out + shown.err + table.out
    shown = await call("show", LETTERS[0].id, "--raw", str(raw), "--output", "json")
    assert SECRET not in shown.out + shown.err
    assert json.loads(shown.out)["body"] == {"kind": "tcp", "note": f"({len(SECRET)} characters)"}
    assert (raw.read_bytes(), raw.stat().st_mode & 0o777) == (LETTERS[0].value, 0o600)
    assert (await call("show", LETTERS[0].id, "--raw", str(raw))).code == 2, "a file was written over"


async def test_it_goes_to_its_topic_as_it_came_once_and_says_what_it_is(call: Call, written: str) -> None:
    for dry in (("--dry-run", LETTERS[0].id), ("--dry-run", "--topic", VERIFICATION_REQUESTS.name)):
        assert (await call("replay", *dry)).code == 0
    assert await read_all(written, VERIFICATION_REQUESTS) == []
    assert (await call("replay", "--topic", VERIFICATION_REQUESTS.name)).code == 2, "it was sent without a yes"
    sent = await call("replay", LETTERS[0].id, "--rate", "100")
    assert (sent.code, "1 of 1 was sent again" in sent.out) == (0, True), sent.err
    [record] = await read_all(written, VERIFICATION_REQUESTS)
    assert (record.key, record.value) == (LETTERS[0].key, LETTERS[0].value)
    assert record.headers == (*LETTERS[0].headers, ("clearline-replay-of", LETTERS[0].id.encode()))

    assert set(await waiting(call)) == {LETTERS[1].id, LETTERS[2].id}
    assert (await waiting(call, "--all"))[LETTERS[0].id]["replayed"]["by"]
    sent = await call("replay", "--reason", "wrong_schema", "--yes", "--rate", "100")
    assert sent.code == 1
    assert "somebody-elses, is no topic of Clearline's" in sent.out
    assert [one.value for one in await read_all(written, VERIFICATION_REQUESTS)].count(LETTERS[0].value) == 1
    assert len(await read_all(written, VERIFICATION_REQUESTS)) == 2


async def test_wrong_use_and_an_absent_kafka_are_told_as_such(call: Call, clearline: Clearline) -> None:
    assert (await call("replay")).code == 2
    assert (await call("show", "ffffffff")).code == 2
    assert (await call("list", "--since", "yesterday")).code == 2
    assert (await call("list", "--reason", "overweight")).code == 2, "nobody would know that it was mistyped"
    [port] = free_ports(1)
    env = {"CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
    absent = await asyncio.to_thread(clearline, "dead-letters", "list", env=env)
    assert (absent.code, "Kafka does not answer" in absent.err) == (3, True), absent.err
    unset = await asyncio.to_thread(clearline, "dead-letters", "list")
    assert (unset.code, "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS" in unset.err) == (2, True), unset.err


async def test_a_limit_takes_the_oldest_that_wait_and_each_call_goes_on(call: Call, written: str) -> None:
    records = [Record(offset, b"{}") for offset in (11, 12, 13, 14)]
    await write(written, records, DeadReason.REFUSED)
    replay = ("replay", "--reason", "refused", "--limit", "2", "--rate", "100", "--yes")
    first, second = await call(*replay), await call(*replay)
    assert [record.id in first.out for record in records] == [True, True, False, False], (
        "not the oldest, or not in order"
    )
    assert "2 newer ones wait still" in first.err
    assert [record.id in second.out for record in records] == [False, False, True, True], (
        "what was sent filled the limit"
    )
    assert "nothing to send again" in (await call(*replay)).err
    assert await waiting(call, "--reason", "refused") == {}
    once = await call("replay", records[0].id)
    assert (once.code, "--again sends it once more" in once.err) == (0, True), once.err
    assert (await call("replay", records[0].id, "--again")).out.count("1 of 1 was sent again") == 1
