"""What a process keeps for life is left out of the collector's walks from the moment its work begins."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import cast

import pytest

from clearline.chassis.collector import freeze_what_stays
from clearline.chassis.service import Worker, until_signal


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


class Probe:
    """A worker that looks and ends."""

    stop_within = 60.0
    frozen = 0

    async def run(self, _stop: asyncio.Event) -> None:
        self.frozen = gc.get_freeze_count()


def test_a_worker_begins_with_what_stays_frozen() -> None:
    probe = Probe()
    asyncio.run(until_signal(cast("Worker", probe)))
    assert probe.frozen > 10_000


def test_rubbish_is_not_kept_with_what_stays() -> None:
    class Ring:
        def __init__(self) -> None:
            self.itself = self

    rubbish = weakref.ref(Ring())
    freeze_what_stays()
    assert rubbish() is None
