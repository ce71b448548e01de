"""Members join, leave, freeze and are killed under traffic: nothing is lost, no key is out of order."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.harness.waiting import until

from clearline.chassis.consumption import Batch, Received
from clearline.chassis.outcome import Done, Outcome
from clearline.contracts.event import Event

MEMBER = Path(__file__).with_name("member_process.py")
KEYS = 60
MakeEvent = Callable[..., Event]


class Members:
    def __init__(self, bus: Any, folder: Path) -> None:
        self._bus = bus
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def join(self) -> subprocess.Popen[bytes]:
        bus, out = self._bus, (self._folder / f"{len(self._processes)}.log").open("wb")
        where = [bus.bootstrap, bus.topic.name, str(bus.topic.partitions), bus.group, str(self._folder / "ledger")]
        process = subprocess.Popen([sys.executable, str(MEMBER), *where], stdout=out, stderr=out)  # noqa: S603 - our own file
        self._processes.append(process)
        return process

    def ledger(self) -> list[tuple[str, int, int]]:
        path = self._folder / "ledger"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(key, int(n), int(pid)) for key, n, pid in map(str.split, lines)]

    def working(self) -> set[int]:
        return {pid for _, _, pid in self.ledger()[-200:]}

    def end(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.mark.timeout(180)
async def test_members_come_and_go_under_traffic(make: Any, event: MakeEvent, tmp_path: Path) -> None:
    bus = await make(partitions=6)
    members, sent, going = Members(bus, tmp_path), 0, True

    async def traffic() -> None:
        nonlocal sent
        while going:
            await bus.send(*(event(f"k{n % KEYS}", n // KEYS) for n in range(sent, sent + KEYS)))
            sent += KEYS
            await asyncio.sleep(0.1)

    flowing = asyncio.create_task(traffic())
    try:
        first = members.join()
        await until(lambda: first.pid in members.working(), within=20)
        second = members.join()
        await until(lambda: members.working() == {first.pid, second.pid}, within=20)
        first.kill()
        await until(lambda: members.working() == {second.pid}, within=20)
        third = members.join()
        await until(lambda: third.pid in members.working(), within=20)
        second.send_signal(signal.SIGSTOP)  # longer than its session: it loses its partitions unawares
        await until(lambda: members.working() == {third.pid}, within=20)
        second.send_signal(signal.SIGCONT)
        await until(lambda: second.pid in members.working(), within=20)
        second.terminate()
        assert await asyncio.to_thread(second.wait, 15) == 0
        going = False
        await flowing
        await until(lambda: len({(key, n) for key, n, _ in members.ledger()}) == sent, within=30)
    finally:
        flowing.cancel()
        members.end()
    ledger = members.ledger()
    newest: dict[str, int] = defaultdict(lambda: -1)
    for key, n, _ in ledger:
        assert n <= newest[key] + 1, f"{key}: {n} came after {newest[key]}"
        newest[key] = max(newest[key], n)
    again = len(ledger) - sent
    assert again < 600, f"{again} of {sent} were done again"


async def test_work_in_hand_is_handed_over_at_a_rebalance(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=2)
    ends: Counter[int] = Counter()
    running_now: list[int] = []

    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        running_now.append(received.event.data.n)
        await asyncio.sleep(0.8)  # ends within the hand-over
        ends[received.event.data.n] += 1
        return Done()

    await bus.send(*(event(f"k{n}", n) for n in range(8)))
    first, second = bus.watermark(handler), bus.watermark(handler)
    async with running(first):
        await until(lambda: len(running_now) == 8)
        async with running(second):
            await until(lambda: first.status().partitions == second.status().partitions == 1, within=20)
            await until(lambda: sum(ends[n] for n in range(8)) == 8)
            await bus.send(*(event(f"k{n}", n) for n in range(8, 24)))
            await until(lambda: len(ends) == 24, within=20)
    assert ends == Counter(range(24))


async def _renew(bus: Any, consumer: Any) -> None:
    """Counted, not watched for: leaving and joining again may take less time than passes between two looks."""
    before = bus.value("clearline_consumer_rebalances_total", group=bus.group)
    consumer.renew()
    await until(lambda: bus.value("clearline_consumer_rebalances_total", group=bus.group) > before, within=30)


async def test_a_membership_can_be_renewed_under_traffic(make: Any, running: Any, event: MakeEvent) -> None:
    bus = await make(partitions=2)
    seen: dict[str, list[int]] = defaultdict(list)

    async def handler(received: Received) -> Outcome:
        assert received.event is not None
        seen[received.key].append(received.event.data.n)
        await asyncio.sleep(0.005)
        return Done()

    consumer = bus.watermark(handler, concurrency=8)
    async with running(consumer):
        for turn in range(4):
            await bus.send(*(event(f"k{n % 10}", n) for n in range(turn * 200, turn * 200 + 200)))
            await until(lambda: consumer.status().in_flight > 0)
            await _renew(bus, consumer)
        await until(lambda: len({n for numbers in seen.values() for n in numbers}) == 800, within=30)
    for numbers in seen.values():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)


async def test_a_batch_that_does_not_end_at_a_rebalance_is_cancelled_and_done_by_its_next_owner(
    make: Any, running: Any, event: MakeEvent
) -> None:
    bus = await make(partitions=1)
    began, cancelled = asyncio.Event(), asyncio.Event()
    done: list[int] = []

    async def endless(_batch: Batch) -> Outcome:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Done()

    async def quick(batch: Batch) -> Outcome:
        done.extend(received.offset for received in batch.records)
        return Done()

    await bus.send(*(event("a", n) for n in range(5)))
    first, second = bus.batch(endless), bus.batch(quick)
    async with running(first):
        await began.wait()
        async with running(second):
            await until(cancelled.is_set, within=15)
            first_done = asyncio.create_task(first.stop(4))
            await until(lambda: done == [0, 1, 2, 3, 4], within=30)
            await first_done
    assert await bus.committed() == {0: 5}
