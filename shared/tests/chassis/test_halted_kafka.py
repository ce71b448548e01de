"""A consumer that stopped for too many dead letters stays so: only a person starts it again."""

from collections.abc import Callable
from typing import Any

from tests.harness.waiting import until

from clearline.chassis.consumption import Received
from clearline.chassis.outcome import Dead, DeadReason, Done, Outcome
from clearline.contracts.event import Event

MakeEvent = Callable[..., Event]


async def test_a_stopped_consumer_stays_stopped_whoever_renews_its_membership_and_however_that_ends(
    make: Any, running: Any, event: MakeEvent
) -> None:
    bus, ours_to_blame = await make(partitions=1), True
    done: set[int] = set()

    async def handler(received: Received) -> Outcome:
        if ours_to_blame:
            return Dead(DeadReason.REFUSED, "never")
        done.add(received.offset)
        return Done()

    def lag() -> float:
        return float(bus.value("clearline_consumer_lag_seconds", topic=bus.topic.name, group=bus.group))

    def rebalances() -> float:
        return float(bus.value("clearline_consumer_rebalances_total", group=bus.group))

    async def waited_longer(by: float) -> None:
        reached = lag() + by
        await until(lambda: lag() > reached, what="it to have stood still for longer")

    await bus.send(*(event(f"k{n}", n) for n in range(400)))
    consumer = bus.watermark(handler)
    async with running(consumer):
        await until(lambda: consumer.status().phase.value == "halted", within=20)
        ours_to_blame, joined = False, rebalances()
        consumer.renew()
        await waited_longer(2)
        assert rebalances() == joined, "it left the group, so that another member empties its partitions"
        consumer._renewal.set()  # as when a membership ends by itself
        await until(lambda: rebalances() > joined, within=20)
        await waited_longer(2)
        assert consumer.status().phase.value == "halted"
        assert bus.value("clearline_consumer_stopped", group=bus.group) == 1
    assert done == set()
