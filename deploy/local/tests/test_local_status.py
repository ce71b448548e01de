"""What `make status` says of a process that runs and is not ready, in the words of a real consumer's own check."""

import json
import os
from pathlib import Path

import pytest
from deploy.local import readiness, restart, status, up
from deploy.local.places import Places
from deploy.local.readiness import Answer
from deploy.local.restart import RestartError
from deploy.local.state import Condition, Identity, State, Told
from deploy.local.up import StartError

from clearline.chassis.consumer import ConsumerStatus, Phase

WHY = "more than 20 % of its last 1,000 records went to the dead letters"


def body(phase: Phase, detail: str, *, healthy: bool = False) -> bytes:
    """As `/health/ready` of a service with one consumer answers."""
    consumer = ConsumerStatus(
        phase=phase,
        partitions=3,
        in_flight=0,
        poll_age=0.1,
        commit_age=None,
        lag_seconds=0,
        detail=detail,
        healthy=healthy,
    ).check()
    start = {"ok": True, "detail": "done"}
    checks = {"start": start, "consumer verifications": {"ok": consumer.ok, "detail": consumer.detail}}
    return json.dumps({"status": "ready" if healthy else "not ready", "checks": checks}).encode()


def test_a_halted_consumer_is_told_from_one_that_waits() -> None:
    said = f"consumer verifications halted: {WHY}"
    assert readiness.refusal(body(Phase.HALTED, WHY)) == Answer(ready=False, why_not=said, halted=True)
    waits = readiness.refusal(body(Phase.WAITING, "waiting for a dependency (Postgres)"))
    assert waits == Answer(False, "consumer verifications waiting: waiting for a dependency (Postgres)")


@pytest.mark.parametrize("strange", [b"", b"{", b"[]", b"{}", b'{"checks": {"x": 1}}', b'{"checks": null}', b"\xff"])
def test_what_is_no_answer_of_ours_is_silence(strange: bytes) -> None:
    assert readiness.refusal(strange) == Answer(ready=False)


def test_of_a_halted_process_the_next_commands_are_told() -> None:
    [first, *steps] = status.advice("verifier", Told(Condition.HALTED, says=f"consumer x halted: {WHY}"))
    assert "verifier has stopped and waits for a person" in first
    assert WHY in first
    told = "\n".join(steps)
    for command in ("clearline dead-letters list", "make restart SERVICE=verifier", "docs/guides/dead-letters.md"):
        assert command in told
    assert status.advice("verifier", Told(Condition.READY)) == []
    waits = Told(Condition.STARTING, says="postgres: the schema is 10, wanted 12")
    assert status.advice("gateway", waits) == ["gateway is not ready: postgres: the schema is 10, wanted 12"]


def test_up_and_restart_do_not_wait_for_one_that_has_halted(tmp_path: Path) -> None:
    places, myself = Places(tmp_path), Identity.of(os.getpid())
    places.make()
    halted = Told(Condition.HALTED, myself, says=f"consumer x halted: {WHY}")
    with pytest.raises(StartError, match="make restart SERVICE=verifier"):
        up._is_up(places, "verifier", halted, 0)
    State(myself, False, {"verifier": halted}).write(places.state_file)
    before = Identity(1, 0.0)
    with pytest.raises(RestartError, match="halted again"):
        restart._is_another_ready(places, "verifier", before)
    assert not restart._is_another_ready(places, "verifier", myself)
