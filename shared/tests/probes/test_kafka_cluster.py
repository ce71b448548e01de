"""What a cluster may tell of topics, groups and brokers: from a stand-in, also what no test broker would say."""

import asyncio
import struct
from typing import Any

import pytest
from tests.harness.kafka_stand_in import (
    a_group,
    api_versions,
    array,
    cluster,
    coordinated_by,
    kafka_saying,
    text,
    topic,
)
from tests.harness.waiting import until

from clearline.probes import kafka_ascent, kafka_brokers
from clearline.probes.kafka_messages import API_VERSIONS, DESCRIBE_GROUPS, FIND_COORDINATOR, METADATA
from clearline.testing.hostile_servers import serving, silent


def found(verdict: Any) -> tuple[str, str]:
    assert verdict.failure is not None, verdict
    assert verdict.failure.code not in {"VERIFIER_FAILED", "UNEXPECTED"}, verdict.failure
    return verdict.failure.code, verdict.failure.step


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


async def test_a_broker_that_stays_silent_is_named_before_the_step_ends(
    climbing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_brokers, "BROKER_SECONDS", 0.3)
    answers = {API_VERSIONS: api_versions()}
    async with serving(silent) as mute, serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "127.0.0.1", server.port), (2, "127.0.0.1", mute.port)])
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port})
    assert found(verdict) == ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise")
    assert f"127.0.0.1:{mute.port} (broker 2)" in verdict.failure.operator_detail
    assert "CONNECT_TIMEOUT" in verdict.failure.operator_detail


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


@pytest.mark.parametrize(
    ("found_error", "group", "code"),
    [
        (0, {}, None),
        (0, {"operations": 1 << 8}, "PERMISSION_MISSING"),
        (0, {"operations": -(2**31)}, "PERMISSION_UNKNOWN"),
        (0, {"error": 30}, "PERMISSION_MISSING"),
        (30, {}, "PERMISSION_MISSING"),
        (99, {}, "PROTOCOL_MISMATCH"),
        (0, {"error": 99}, "PROTOCOL_MISMATCH"),
    ],
)
async def test_what_a_cluster_tells_of_a_group(
    climbing: Any, found_error: int, group: dict[str, int], code: str | None
) -> None:
    answers = {API_VERSIONS: api_versions(), DESCRIBE_GROUPS: a_group(**group)}
    async with serving(kafka_saying(answers)) as server:
        answers[METADATA] = cluster([(1, "127.0.0.1", server.port)])
        answers[FIND_COORDINATOR] = coordinated_by(server.port, error=found_error)
        verdict = await climbing("kafka", {"host": "127.0.0.1", "port": server.port, "consumer_group": "g"})
    assert (found(verdict)[0] if verdict.failure else None) == code, verdict.failure


@pytest.mark.parametrize("number", [FIND_COORDINATOR, DESCRIBE_GROUPS])
async def test_a_coordinator_that_is_not_ready_is_asked_again_for_a_while(
    climbing: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(kafka_ascent, "PAUSE_SECONDS", 0.01)
    answers = {API_VERSIONS: api_versions()}
    behaviour = kafka_saying(answers)
    async with serving(behaviour) as server:
        ready = {FIND_COORDINATOR: coordinated_by(server.port), DESCRIBE_GROUPS: a_group()}
        unready = {FIND_COORDINATOR: coordinated_by(server.port, error=15), DESCRIBE_GROUPS: a_group(error=16)}
        answers |= ready | {METADATA: cluster([(1, "127.0.0.1", server.port)])}
        answers[number] = unready[number]
        config = {"host": "127.0.0.1", "port": server.port, "consumer_group": "g"}
        never = await climbing("kafka", config)
        asyncio.get_running_loop().call_later(0.05, answers.update, ready)
        later = await climbing("kafka", config)
    assert found(never) == ("SERVER_UNAVAILABLE", "authorize")
    assert later.status == "verified", later.failure
