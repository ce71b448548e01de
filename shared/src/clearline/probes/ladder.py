"""Climbs the ladder of one connection: `resolve → connect → tls → authenticate → authorize → exercise`.

Every step has a deadline and a byte budget and all of them together have one; the step that fails says exactly why, the
later ones are skipped. It runs on the `OutboundLoop` alone: elsewhere nothing would ask the policy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from clearline.catalogue import Catalogue, FieldError
from clearline.contracts.verification import Failure, Step, StepName
from clearline.probes.ascent import CANCELLED, Ascent, Limits
from clearline.probes.dial import OutboundLoop
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Climb, Clock, Credentials, Form, Kind, Skipped, StepFailed
from clearline.probes.redact import Redactor
from clearline.probes.verdict import failure_of

__all__ = ["Limits", "OnStep", "Verdict", "climb"]

OnStep = Callable[[int, Step], Awaitable[None]]
"""Told of every step as it ends, with its position from 0."""

BECAUSE_FAILED = "an earlier step failed"
BECAUSE_CANCELLED = "the verification was cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a climb ended."""

    status: Literal["verified", "failed", "cancelled"]
    steps: tuple[Step, ...]
    failure: Failure | None = None


@dataclass(slots=True)
class _Record:
    """The steps so far, and the finding that ended them or is about a step still to come."""

    steps: list[Step] = field(default_factory=list)
    finding: StepFailed | None = None
    ended_at: StepName | None = None


async def climb(
    kind: Kind,
    config: Form,
    credentials: Credentials,
    *,
    policy: OutboundPolicy,
    clock: Clock,
    on_step: OnStep,
    limits: Limits | None = None,
    cancelled: asyncio.Event | None = None,
    catalogue: Catalogue | None = None,
) -> Verdict:
    """Verify what is configured. `cancelled` ends it with a verdict; cancelling the task ends it without one."""
    if not isinstance(asyncio.get_running_loop(), OutboundLoop):
        raise RuntimeError("probes run on clearline.probes.dial.OutboundLoop alone")  # noqa: TRY004 - no argument's type
    limits = limits or Limits()
    state = Climb(config=config, credentials=credentials, endpoint=kind.endpoint(config), clock=clock)
    ascent = Ascent(kind, state, policy=policy, limits=limits, cancelled=cancelled or asyncio.Event())
    redactor = Redactor(credentials.given().values())
    state.hide = redactor.add
    if (fault := next(iter(kind.conflicts(config, credentials, clock.now())), None)) is not None:
        return _undialled(fault, redactor, catalogue)
    record = _Record()
    try:
        for number, name in enumerate(kind.steps):
            step = await _step(record, ascent, name, clock=clock, redactor=redactor)
            record.steps.append(step)
            await on_step(number, step)
    finally:
        await ascent.close()
    return _verdict(record, state, limits, redactor, catalogue)


def _undialled(fault: FieldError, redactor: Redactor, catalogue: Catalogue | None) -> Verdict:
    """What is filled in cannot work: nothing is dialled, so there is no step."""
    finding = StepFailed(fault.code, field=fault.pointer, detail=fault.detail)
    return Verdict(
        status="failed", steps=(), failure=failure_of(finding, None, known={}, redactor=redactor, catalogue=catalogue)
    )


async def _step(record: _Record, ascent: Ascent, name: StepName, *, clock: Clock, redactor: Redactor) -> Step:
    if record.ended_at is not None and record.finding is not None:
        because = BECAUSE_CANCELLED if record.finding.code == CANCELLED else BECAUSE_FAILED
        return Step(name=name, status="skipped", duration_ms=0.0, skipped_because=because)
    begun = clock.monotonic()
    found = record.finding or await ascent.rung(name)
    took = round((clock.monotonic() - begun) * 1000, 3)
    match found:
        case Skipped(because):
            return Step(name=name, status="skipped", duration_ms=took, skipped_because=because)
        case StepFailed(code=code, step=about) if about is None or about == name:
            record.finding, record.ended_at = found, name
            if code == CANCELLED:
                return Step(name=name, status="skipped", duration_ms=took, skipped_because=BECAUSE_CANCELLED)
            return Step(name=name, status="failed", duration_ms=took, evidence=redactor.evidence(found.evidence))
        case StepFailed():  # found on this rung, but about a later one
            record.finding = found
            return Step(name=name, status="passed", duration_ms=took)
        case _:
            return Step(name=name, status="passed", duration_ms=took, evidence=redactor.evidence(found))


def _verdict(record: _Record, state: Climb, limits: Limits, redactor: Redactor, catalogue: Catalogue | None) -> Verdict:
    steps, finding = tuple(record.steps), record.finding
    if finding is None:
        return Verdict(status="verified", steps=steps)
    known: dict[str, object] = {
        "host": state.endpoint.host,
        "port": state.endpoint.port,
        "address": state.address,
        "step": record.ended_at,
        "seconds": limits.of(record.ended_at),
    }
    failure = failure_of(finding, record.ended_at, known=known, redactor=redactor, catalogue=catalogue)
    return Verdict(status="cancelled" if finding.code == CANCELLED else "failed", steps=steps, failure=failure)
