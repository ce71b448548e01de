"""One target that takes its ten seconds delays nobody else's, and a cancel waits for nothing, on the real thing."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.partitioner import DefaultPartitioner
from services.verifier.tests.on_kafka import Bus, Start, running
from tests.harness.waiting import until

from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.testing.hostile_servers import answering, http_answer, serving, silent

pytestmark = pytest.mark.timeout(180)
SLOW = 20
PARTITIONS = list(range(VERIFICATION_REQUESTS.partitions))


def in_partition(number: int) -> UUID:
    """A connection whose requests lie in this partition."""
    while DefaultPartitioner()(str(found := uuid4()).encode(), PARTITIONS, []) != number:
        pass
    return found


async def test_silent_targets_delay_nobody_even_in_the_same_partition(
    bus: Bus, desk: Any, ask: Any, verifier: Start
) -> None:
    async with (
        serving(answering(http_answer("200 OK"))) as server,
        serving(silent) as quiet,
        running(verifier),
    ):
        warm = desk.request("http", {"url": f"http://127.0.0.1:{server.port}/"})
        await bus.producer.publish(ask.event(warm), VERIFICATION_REQUESTS)
        await until(lambda: bus.ends(warm.verification_id), within=60)
        slow = [
            desk.request("http", {"url": f"http://127.0.0.1:{quiet.port}/"}, connection_id=in_partition(n % 2))
            for n in range(SLOW)
        ]
        good = [
            desk.request("http", {"url": f"http://127.0.0.1:{server.port}/"}, connection_id=in_partition(n % 2))
            for n in range(10)
        ]
        for one in slow:
            await bus.producer.publish(ask.event(one), VERIFICATION_REQUESTS)
        await until(lambda: quiet.received.count(b"GET") == SLOW, within=20)
        for one in good:
            await bus.producer.publish(ask.event(one), VERIFICATION_REQUESTS)
        await until(lambda: all(bus.ends(one.verification_id) for one in good), within=20)
        # The order of ends is the proof on any machine: ten seconds of silence had not gone by for a single one.
        assert not any(bus.ends(one.verification_id) for one in slow)
        for one in slow:
            await bus.producer.publish(ask.cancel(one), VERIFICATION_REQUESTS)
        await until(lambda: all(bus.ends(one.verification_id) for one in slow), within=20)
        assert {bus.of(one.verification_id)[-1]["outcome"] for one in slow} == {"cancelled"}


async def test_a_cancel_reaches_a_request_behind_a_running_one_and_one_that_a_killed_verifier_left(
    bus: Bus, desk: Any, ask: Any, verifier: Start
) -> None:
    async with serving(silent) as quiet:
        here = uuid4()
        runs, waits, left = (
            desk.request("http", {"url": f"http://127.0.0.1:{quiet.port}/{name}"}, connection_id=connection)
            for name, connection in (("runs", here), ("waits", here), ("left", uuid4()))
        )
        first = await verifier()
        for one in (runs, waits, left):
            await bus.producer.publish(ask.event(one), VERIFICATION_REQUESTS)
        await until(lambda: quiet.received.count(b"GET") == 2, within=60)
        await bus.producer.publish(ask.cancel(waits), VERIFICATION_REQUESTS)
        first.kill()
        await first.wait()
        await bus.producer.publish(ask.cancel(left), VERIFICATION_REQUESTS)
        # The next one reads the requests anew, each before its cancel; both are there before it has begun anything.
        async with running(verifier):
            await until(lambda: bus.ends(left.verification_id), within=60)
            await until(lambda: quiet.received.count(b"GET /runs") == 2, within=20)
            await bus.producer.publish(ask.cancel(runs), VERIFICATION_REQUESTS)
            await until(lambda: bus.ends(runs.verification_id) and bus.ends(waits.verification_id), within=20)
        for one in (runs, waits, left):
            assert bus.of(one.verification_id)[-1]["outcome"] == "cancelled"
            assert len(bus.ends(one.verification_id)) == 1
        assert b"GET /waits" not in quiet.received, "a request that was cancelled in its queue was run"
        assert quiet.received.count(b"GET /left") == 1, "a request whose cancel lay behind it was run again"
