"""`gateway serve` begins as every worker does: quiet about the Kafka client, and with what stays frozen."""

import asyncio
import gc
from typing import Any

import pytest

from gateway import serve


class _Gateway:
    """Looks at what there is when its life begins, and ends."""

    def __init__(self) -> None:
        self.handler: Any = None
        self.frozen = 0

    async def run(self, _stop: asyncio.Event) -> None:
        self.handler = asyncio.get_running_loop().get_exception_handler()
        self.frozen = gc.get_freeze_count()


def test_serve_begins_as_every_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = _Gateway()
    nothing: Any = None

    async def compose(*_settings: Any) -> _Gateway:
        return gateway

    monkeypatch.setattr(serve, "compose", compose)
    gc.unfreeze()
    try:
        asyncio.run(serve._run(nothing, nothing))
    finally:
        gc.unfreeze()
    assert getattr(gateway.handler, "__module__", None) == "clearline.chassis.loop_faults"
    assert gateway.frozen > 10_000
