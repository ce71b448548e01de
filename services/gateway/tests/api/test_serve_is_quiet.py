"""`gateway serve` tells failures that the Kafka client leaves behind as quietly as every worker does."""

import asyncio
from typing import Any

import pytest

from gateway import serve


class _EnoughError(Exception):
    pass


def test_serve_quiets_the_kafka_client(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = []

    async def compose(*_settings: Any) -> None:
        handlers.append(asyncio.get_running_loop().get_exception_handler())
        raise _EnoughError

    monkeypatch.setattr(serve, "compose", compose)
    nothing: Any = None
    with pytest.raises(_EnoughError):
        asyncio.run(serve._run(nothing, nothing))
    assert [getattr(each, "__module__", None) for each in handlers] == ["clearline.chassis.loop_faults"]
