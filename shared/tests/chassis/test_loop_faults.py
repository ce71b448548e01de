"""The Kafka client's own background failures are one quiet line; ours are told with all they have."""

import asyncio
import gc
import logging
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.sender import Sender

from clearline.chassis.loop_faults import quiet_kafka_client
from clearline.chassis.service import Worker, until_signal

QUIET = "the Kafka client failed in work of its own"


async def fail_in_a_callback() -> None:
    """`Exception in callback Sender._fail_all`, as after kill -9 of the broker."""
    broken = cast("Sender", SimpleNamespace(_message_accumulator=None))
    failed = asyncio.create_task(our_failure())
    failed.add_done_callback(partial(Sender._fail_all, broken))


async def fail_in_a_commit() -> None:
    """`Task exception was never retrieved` of a commit that was given up."""
    broken = cast("GroupCoordinator", SimpleNamespace())
    task = asyncio.create_task(GroupCoordinator._do_commit_offsets(broken, None, {"offsets": 1}))
    await asyncio.wait({task})


async def fail_on_a_future() -> None:
    asyncio.get_running_loop().create_future().set_exception(KafkaConnectionError("gone"))


async def our_failure() -> None:
    raise KafkaConnectionError("ours")


async def fail_in_our_task() -> None:
    await asyncio.wait({asyncio.create_task(our_failure())})


def told(failing: Any, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    async def run() -> None:
        quiet_kafka_client(asyncio.get_running_loop())
        await failing()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()

    gc.collect()  # what earlier tests left behind is told now
    caplog.clear()
    asyncio.run(run())
    return caplog.records


@pytest.mark.parametrize("failing", [fail_in_a_callback, fail_in_a_commit, fail_on_a_future])
def test_what_the_client_drops_is_one_quiet_line(failing: Any, caplog: pytest.LogCaptureFixture) -> None:
    (record,) = told(failing, caplog)
    assert record.getMessage().startswith(QUIET)
    assert (record.name, record.levelname, record.exc_info) == ("aiokafka.background", "WARNING", None)


def test_our_own_failure_stays_loud(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = told(fail_in_our_task, caplog)
    assert (record.name, record.levelname) == ("asyncio", "ERROR")
    assert record.exc_info


def test_every_worker_is_quiet() -> None:
    handlers = []

    class Probe:
        stop_within = 1.0

        async def run(self, _stop: asyncio.Event) -> None:
            handlers.append(asyncio.get_running_loop().get_exception_handler())

    asyncio.run(until_signal(cast("Worker", Probe())))
    assert [getattr(each, "__module__", None) for each in handlers] == ["clearline.chassis.loop_faults"]
