"""A Kafka client that is stuck without an error is noticed, replaced by a new one, and counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.harness.waiting import until

from clearline.chassis.clock import SystemClock
from clearline.chassis.consumption import Received
from clearline.chassis.outcome import Done, Outcome
from clearline.chassis.topics import provision
from clearline.contracts.event import Event

pytestmark = pytest.mark.timeout(120)
MakeEvent = Callable[..., Event]


def renewals(bus: Any, ailment: str) -> float:
    return float(bus.value("clearline_consumer_renewals_total", group=bus.group, ailment=ailment))


def collecting(into: list[int]) -> Callable[[Received], Awaitable[Outcome]]:
    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        into.append(received.event.data.n)
        return Done()

    return handler


def stop_heart(client: Any) -> None:
    client._coordinator._heartbeat_task.cancel()


def stop_coordination(client: Any) -> None:
    client._coordinator._coordination_task.cancel()


def stop_fetching(client: Any) -> None:
    client._fetcher._fetch_task.cancel()


def freeze_fetching(client: Any) -> None:
    """It runs on and asks the broker for nothing: what aiokafka shows after some broken connections."""

    async def nothing(*_: Any) -> None:
        await asyncio.Event().wait()

    client._fetcher._proc_fetch_request = nothing


@pytest.mark.parametrize(
    ("hurt", "ailment"),
    [
        (stop_heart, "no_heartbeat"),
        (stop_coordination, "client_ended"),
        (stop_fetching, "client_ended"),
        (freeze_fetching, "nothing_fetched"),
    ],
)
async def test_a_stuck_client_is_replaced_and_work_goes_on(
    make: Any, running: Any, event: MakeEvent, hurt: Callable[[Any], None], ailment: str
) -> None:
    bus, done = await make(partitions=1), list[int]()
    consumer = bus.watermark(collecting(done))
    async with running(consumer):
        await bus.send(event("a", 0))
        await until(lambda: done == [0])
        await until(lambda: consumer.status().healthy)
        client = consumer._member._consumer
        hurt(client)
        # What a fetch on its way brings, and then nothing more.
        for n in range(1, 6):
            await bus.send(event("a", n))
        if ailment == "nothing_fetched":
            await until(lambda: consumer.status().lag_seconds > 1, what="the lag that only the broker knows of")
        await until(lambda: renewals(bus, ailment) == 1, within=30)
        await until(lambda: done[-1] == 5, within=30)
        await until(lambda: consumer._member._consumer not in (None, client), within=20)
        await until(lambda: consumer.status().healthy, within=20)
        await bus.send(event("a", 6))
        await until(lambda: done[-1] == 6, within=20)
        await until(lambda: consumer.status().lag_seconds == 0)
    assert list(dict.fromkeys(done)) == list(range(7)), "what the old client had read may come twice, never less"


async def test_a_member_without_partitions_is_well_and_stays(make: Any, running: Any) -> None:
    """It has nothing to commit: taken for commits that fail, that would rebalance the group for ever."""
    bus = await make(partitions=1)
    members = [bus.watermark(collecting([])) for _ in range(2)]
    async with running(*members):
        sessions = 4 * bus.settings.session_timeout_ms / 1000
        changed, seen = time.monotonic(), 0.0

        def at_rest() -> bool:
            """No rebalance for a few sessions; the second member's joining is one, and comes when it comes."""
            nonlocal changed, seen
            now = bus.value("clearline_consumer_rebalances_total", group=bus.group)
            if now != seen:
                changed, seen = time.monotonic(), now
            return bool(time.monotonic() > changed + sessions)

        await until(at_rest, within=20 + 2 * sessions, every=0.2, what="an end of the rebalances")
        assert sorted(one.status().partitions for one in members) == [0, 1]
        assert all(one.status().healthy for one in members)


async def test_a_cluster_that_lost_everything_is_read_from_its_new_beginning(
    own_kafka: Any, make: Any, running: Any, event: MakeEvent
) -> None:
    bus, done = await make(bootstrap=own_kafka.bootstrap, partitions=1), list[int]()
    consumer = bus.watermark(collecting(done))
    async with running(consumer):
        for n in range(5):
            await bus.send(event("a", n))
        await until(lambda: done == list(range(5)), within=20)
        await until(lambda: committed(bus, 5), within=20)
        await own_kafka.lose_everything()
        await provision([replace(bus.topic, retention_ms=None)], bus.settings, SystemClock())
        await until(lambda: published(bus, event("a", 5)), within=30)
        await until(lambda: done[-1] == 5, within=60)
        await until(lambda: consumer.status().healthy, within=60)
    assert done == list(range(6))


async def committed(bus: Any, offset: int) -> bool:
    return bool((await bus.committed()).get(0) == offset)


async def published(bus: Any, event: Event) -> bool:
    try:
        await bus.producer.publish(event, bus.topic)
    except OSError:
        return False
    return True
