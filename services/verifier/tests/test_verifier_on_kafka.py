"""The whole verifier as a process of its own on a real Kafka: asked over the bus, killed, asked to stop."""

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from services.verifier.tests.on_kafka import Bus, Start, running
from tests.harness.waiting import until

from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.testing.hostile_servers import answering, http_answer, serving, silent
from verifier.service import GROUP

pytestmark = pytest.mark.timeout(180)
SECRET = "hunter2-s3cret"


async def test_requests_are_answered_cancelled_and_buried(bus: Bus, desk: Any, ask: Any, verifier: Start) -> None:
    async with (
        serving(answering(http_answer("200 OK", f"Server: {SECRET}"))) as server,
        serving(silent) as quiet,
        running(verifier),
    ):
        config = {"url": f"http://127.0.0.1:{server.port}/", "auth": "bearer"}
        good = desk.request("http", config, connection_id=None)
        envelopes = desk.sealed("http", config, good.verification_id, token=SECRET)
        good = desk.request(
            "http", config, verification_id=good.verification_id, connection_id=None, revision=None, envelopes=envelopes
        )
        await bus.producer.publish(ask.event(good), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(good.verification_id), within=60)
        assert f"Bearer {SECRET}".encode() in server.received
        assert [body["number"] for body in bus.of(good.verification_id, "progressed")] == list(range(6))
        assert bus.of(good.verification_id)[-1]["type"] == "clearline.connection.verified.v1"

        hanging = desk.request("http", {"url": f"http://127.0.0.1:{quiet.port}/"})
        await bus.producer.publish(ask.event(hanging), VERIFICATION_REQUESTS)
        await until(lambda: quiet.received, within=20)
        await bus.producer.publish(ask.cancel(hanging), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(hanging.verification_id), within=5)
        assert bus.of(hanging.verification_id)[-1]["outcome"] == "cancelled"

        unknown = desk.request("mainframe", {})
        await bus.producer.publish(ask.event(unknown), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(unknown.verification_id), within=10)
        assert bus.of(unknown.verification_id)[-1]["failure"]["code"] == "KIND_UNKNOWN"
    everything = b"".join((one.value or b"") + repr(one.headers).encode() for one in bus.records)
    assert SECRET.encode() not in everything


async def test_a_killed_verifiers_requests_end_all_the_same_and_each_once(
    bus: Bus, desk: Any, ask: Any, verifier: Start
) -> None:
    """R5 too: nothing is verified again that had ended and was committed before the kill."""
    first = await verifier()
    async with serving(silent) as server:
        requests = [desk.request("tcp", {"host": "127.0.0.1", "port": server.port}) for _ in range(300)]
        before, after = requests[:150], requests[150:]
        for request in before:
            await bus.producer.publish(ask.event(request), VERIFICATION_REQUESTS)
        await until(lambda: all(bus.ends(one.verification_id) for one in before), within=60)
        await until(lambda: all_committed(bus.bootstrap), within=20)
        for number, request in enumerate(after):
            await bus.producer.publish(ask.event(request), VERIFICATION_REQUESTS)
            if number == 50:
                await until(lambda: server.connections > 170, within=60)
                first.kill()
                await first.wait()
        async with running(verifier):
            await until(lambda: all(bus.ends(one.verification_id) for one in requests), within=90)
    assert all(len(bus.ends(one.verification_id)) == 1 for one in requests)
    for one in requests:
        assert {body["number"] for body in bus.of(one.verification_id, "progressed")} == {0, 1}
    assert all(len(bus.of(one.verification_id)) == 3 for one in before)


async def all_committed(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        told = await admin.list_consumer_group_offsets(GROUP)
        ends = await consumer.end_offsets([place for place in told if place.topic == VERIFICATION_REQUESTS.name])
    finally:
        await consumer.stop()
        await admin.close()
    return bool(ends) and all(told[place].offset == end for place, end in ends.items())
