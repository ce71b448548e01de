"""The climb itself, with kinds made up for it: order, deadlines, cancellation, and what leaves it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import pytest

from clearline.chassis.clock import SystemClock
from clearline.contracts.verification import Step, StepName
from clearline.probes.fields import Secret
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Climb, Credentials, Rung, Skipped, StepFailed
from clearline.probes.tcp import TCP, TcpConfig
from clearline.testing.hostile_servers import serving, silent

SECRET = "hunter2-s3cret"
OPEN = OutboundPolicy.parse(["127.0.0.1"])


class Keyed(Credentials):
    key: Annotated[Secret | None, "any"] = None


async def passing(_: Climb) -> Mapping[str, Any]:
    return {"seen": True}


async def ascend(rungs: dict[StepName, Rung], told: list[tuple[int, Step]] | None = None, **options: Any) -> Verdict:
    async def on_step(number: int, step: Step) -> None:
        if told is not None:
            told.append((number, step))

    kind = replace(TCP, credentials=Keyed, rungs=rungs)
    async with serving(silent) as server:
        config = TcpConfig(host="127.0.0.1", port=server.port)
        credentials = Keyed.model_validate_json(json.dumps({"key": SECRET}))
        return await climb(kind, config, credentials, policy=OPEN, clock=SystemClock(), on_step=on_step, **options)


def statuses(verdict: Verdict) -> dict[str, str]:
    return {step.name: step.status for step in verdict.steps}


async def test_steps_are_told_in_the_order_of_the_ladder() -> None:
    told: list[tuple[int, Step]] = []
    verdict = await ascend({"exercise": passing, "tls": passing, "authenticate": passing}, told)
    assert verdict.status == "verified"
    assert verdict.failure is None
    assert [step.name for _, step in told] == ["resolve", "connect", "tls", "authenticate", "exercise"]
    assert [number for number, _ in told] == [0, 1, 2, 3, 4]
    assert tuple(step for _, step in told) == verdict.steps
    assert all(step.duration_ms >= 0 for step in verdict.steps)


async def test_after_a_failure_the_rest_is_skipped_with_the_reason() -> None:
    async def failing(_: Climb) -> Mapping[str, Any]:
        raise StepFailed("AUTH_REJECTED", field="/credentials/key", evidence={"status": 401})

    verdict = await ascend({"authenticate": failing, "authorize": passing, "exercise": passing})
    assert verdict.status == "failed"
    assert statuses(verdict) == {
        "resolve": "passed",
        "connect": "passed",
        "authenticate": "failed",
        "authorize": "skipped",
        "exercise": "skipped",
    }
    assert verdict.steps[-1].skipped_because == "an earlier step failed"
    assert verdict.steps[2].evidence == {"status": 401}
    assert verdict.failure is not None
    assert (verdict.failure.code, verdict.failure.step) == ("AUTH_REJECTED", "authenticate")
    assert verdict.failure.field == "/credentials/key"
    assert verdict.failure.retry_class == "config"
    assert verdict.failure.remediation
    assert not verdict.failure.retryable


async def test_a_finding_may_be_about_a_later_step() -> None:
    async def failing(_: Climb) -> Mapping[str, Any]:
        raise StepFailed("DATABASE_MISSING", field="/config/database", step="authorize", database="w")

    verdict = await ascend({"authenticate": failing, "authorize": passing, "exercise": passing})
    assert statuses(verdict)["authenticate"] == "passed"
    assert statuses(verdict)["authorize"] == "failed"
    assert statuses(verdict)["exercise"] == "skipped"
    assert verdict.failure is not None
    assert verdict.failure.step == "authorize"


async def test_a_step_that_does_not_apply_is_skipped_and_the_climb_goes_on() -> None:
    async def unneeded(_: Climb) -> Skipped:
        return Skipped("encryption is switched off in the config")

    verdict = await ascend({"tls": unneeded, "exercise": passing})
    assert verdict.status == "verified"
    assert verdict.steps[2].skipped_because == "encryption is switched off in the config"


async def test_a_step_that_hangs_ends_at_its_deadline() -> None:
    async def hanging(_: Climb) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    verdict = await ascend({"tls": hanging}, limits=Limits(step_seconds=0.1))
    assert verdict.failure is not None
    assert verdict.failure.code == "TLS_TIMEOUT"
    verdict = await ascend({"exercise": hanging}, limits=Limits(step_seconds=0.1))
    assert verdict.failure is not None
    assert (verdict.failure.code, verdict.failure.retryable) == ("RESPONSE_TIMEOUT", True)


async def test_all_steps_together_have_a_deadline() -> None:
    async def slow(_: Climb) -> Mapping[str, Any]:
        await asyncio.sleep(0.15)
        return {}

    rungs: dict[StepName, Rung] = {"tls": slow, "authenticate": slow, "authorize": slow, "exercise": slow}
    verdict = await ascend(rungs, limits=Limits(step_seconds=1, total_seconds=0.4))
    assert verdict.failure is not None
    assert verdict.failure.code == "VERIFICATION_TIMEOUT"
    assert "passed" in statuses(verdict).values()


async def test_a_library_that_swallows_cancellation_cannot_hold_the_climb() -> None:
    released = asyncio.Event()

    async def stubborn(_: Climb) -> Mapping[str, Any]:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        return {}

    begun = asyncio.get_running_loop().time()
    verdict = await ascend({"exercise": stubborn}, limits=Limits(step_seconds=0.1))
    released.set()
    assert verdict.failure is not None
    assert verdict.failure.code == "RESPONSE_TIMEOUT"
    assert asyncio.get_running_loop().time() - begun < 3


async def test_a_cancelled_climb_ends_at_once_and_says_so() -> None:
    cancelled, reached = asyncio.Event(), asyncio.Event()

    async def hanging(_: Climb) -> Mapping[str, Any]:
        reached.set()
        await asyncio.Event().wait()
        return {}

    running = asyncio.ensure_future(ascend({"authenticate": hanging, "exercise": passing}, cancelled=cancelled))
    await asyncio.wait_for(reached.wait(), 5)
    cancelled.set()
    verdict = await asyncio.wait_for(running, 3)
    assert verdict.status == "cancelled"
    assert verdict.failure is not None
    assert (verdict.failure.code, verdict.failure.step) == ("VERIFICATION_CANCELLED", "authenticate")
    assert [step.skipped_because for step in verdict.steps[2:]] == ["the verification was cancelled"] * 2


async def test_a_cancelled_task_tells_nothing_more() -> None:
    reached, ended = asyncio.Event(), asyncio.Event()
    told: list[tuple[int, Step]] = []

    async def hanging(_: Climb) -> Mapping[str, Any]:
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    running = asyncio.ensure_future(ascend({"authenticate": hanging, "exercise": passing}, told))
    await asyncio.wait_for(reached.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
    assert [step.name for _, step in told] == ["resolve", "connect"]


async def test_no_secret_leaves_by_any_door() -> None:
    async def leaking(climb: Climb) -> Mapping[str, Any]:
        key = climb.credentials.key.get_secret_value()
        return {"header": f"Bearer {key}", key: [key], "url": f"https://x/?k={key}"}

    async def failing(climb: Climb) -> Mapping[str, Any]:
        key = climb.credentials.key.get_secret_value()
        raise StepFailed("AUTH_REJECTED", detail=f"server said {key}", user=key, why=key, evidence={"body": key})

    async def raising(climb: Climb) -> Mapping[str, Any]:
        raise RuntimeError(climb.credentials.key.get_secret_value())

    async def naming(climb: Climb) -> Mapping[str, Any]:
        raise StepFailed("DATABASE_MISSING", database=climb.credentials.key.get_secret_value())

    for last in (failing, raising, naming):
        verdict = await ascend({"tls": leaking, "authenticate": last})
        assert SECRET not in str(verdict)
        assert "[redacted]" in str(verdict.steps[2])
        assert verdict.failure is not None


async def test_a_defect_of_ours_is_told_as_ours() -> None:
    async def broken(_: Climb) -> Mapping[str, Any]:
        raise ZeroDivisionError

    verdict = await ascend({"exercise": broken})
    assert verdict.failure is not None
    assert (verdict.failure.code, verdict.failure.fault_owner) == ("VERIFIER_FAILED", "ours")
    assert verdict.failure.retry_class == "system"


async def test_what_is_left_open_is_closed_however_it_ends() -> None:
    closed: list[str] = []

    async def opening(climb: Climb) -> Mapping[str, Any]:
        climb.closing.callback(closed.append, "closed")
        raise StepFailed("SERVER_CLOSED")

    await ascend({"tls": opening})
    assert closed == ["closed"]


async def test_an_answer_that_cannot_be_told_stops_the_climb() -> None:
    async def unheard(_number: int, _step: Step) -> None:
        raise ConnectionError("Kafka is away")

    config = TcpConfig(host="127.0.0.1", port=1)
    with pytest.raises(ConnectionError, match="Kafka"):
        await climb(TCP, config, TCP.credentials(), policy=OPEN, clock=SystemClock(), on_step=unheard)


def test_no_other_loop_is_climbed_on() -> None:
    async def unheard(_number: int, _step: Step) -> None: ...

    config = TcpConfig(host="127.0.0.1", port=1)
    climbing = climb(TCP, config, TCP.credentials(), policy=OPEN, clock=SystemClock(), on_step=unheard)
    with pytest.raises(RuntimeError, match="OutboundLoop"):
        asyncio.run(climbing)
