"""Probe tests run on the loop that probes need; the ladder refuses any other."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from clearline.chassis.clock import SystemClock
from clearline.contracts.verification import Step
from clearline.probes.dial import OutboundLoop
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS

Climbing = Callable[..., Awaitable[Verdict]]
LOCAL = ("127.0.0.1/32", "::1/128")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:  # noqa: ARG001
    return {"outbound": OutboundLoop}


@pytest.fixture
def climbing() -> Climbing:
    """Climb a kind with raw form values, as the verifier does; only this machine's own addresses are allowed."""

    async def climbed(
        kind: str,
        config: dict[str, object],
        credentials: dict[str, str] | None = None,
        *,
        allow: tuple[str, ...] = LOCAL,
        limits: Limits | None = None,
        cancelled: asyncio.Event | None = None,
        told: list[tuple[int, Step]] | None = None,
    ) -> Verdict:
        async def on_step(number: int, step: Step) -> None:
            if told is not None:
                told.append((number, step))

        chosen = KINDS[kind]
        parsed = parse_config(chosen, config)
        return await climb(
            chosen,
            parsed,
            parse_credentials(chosen, credentials or {}, config=parsed),
            policy=OutboundPolicy.parse(allow),
            clock=SystemClock(),
            on_step=on_step,
            limits=limits,
            cancelled=cancelled,
        )

    return climbed
