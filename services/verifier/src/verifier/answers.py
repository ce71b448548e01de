"""The events that a request gives rise to: one per step and one end, the same ids however often it is run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clearline.chassis.clock import Clock
from clearline.contracts.event import SOURCE_PREFIX, Body, Event, EventType
from clearline.contracts.ids import event_id
from clearline.contracts.verification import (
    FAILED,
    PROGRESSED,
    VERIFIED,
    Step,
    VerificationFailed,
    VerificationProgressed,
    VerificationRequested,
    Verified,
)
from clearline.probes.ladder import Verdict

SOURCE = f"{SOURCE_PREFIX}verifier"

Publish = Callable[[Event], Awaitable[None]]
"""Puts an event on the topic of verifications, or raises."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Tells whoever asked. `asked` is the request's event."""

    asked: Event
    request: VerificationRequested
    publish: Publish
    clock: Clock

    async def step(self, number: int, step: Step) -> None:
        """A step has ended; the verification goes on."""
        body = VerificationProgressed(
            verification_id=self.request.verification_id,
            connection_id=self.request.connection_id,
            revision=self.request.revision,
            number=number,
            step=step,
        )
        await self._tell(PROGRESSED, body, number)

    async def end(self, verdict: Verdict) -> None:
        """The one end."""
        request = self.request
        if verdict.failure is None:
            verified = Verified(
                verification_id=request.verification_id,
                connection_id=request.connection_id,
                revision=request.revision,
                kind=request.kind,
                steps=verdict.steps,
            )
            await self._tell(VERIFIED, verified)
            return
        failed = VerificationFailed(
            verification_id=request.verification_id,
            connection_id=request.connection_id,
            revision=request.revision,
            kind=request.kind,
            outcome="cancelled" if verdict.status == "cancelled" else "failed",
            steps=verdict.steps,
            failure=verdict.failure,
        )
        await self._tell(FAILED, failed)

    async def _tell(self, event_type: EventType, body: Body, ordinal: int = 0) -> None:
        await self.publish(
            Event(
                id=event_id(self.request.verification_id, event_type.name, ordinal),
                type=event_type,
                source=SOURCE,
                subject=self.asked.subject,
                time=self.clock.now(),
                key=self.asked.key,
                data=body,
                correlation_id=self.asked.correlation_id,
                causation_id=str(self.asked.id),
                traceparent=self.asked.traceparent,
            )
        )
