"""What the verifier does with each record: climb for a request, end a running one for a cancel, silence for nobody."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from clearline.catalogue import Catalogue, ClearlineError, load
from clearline.chassis import correlation, tracing
from clearline.chassis.clock import Clock
from clearline.chassis.consumption import Received
from clearline.chassis.outcome import Dead, Done, Outcome
from clearline.contracts.event import Event
from clearline.contracts.reseal import RESEAL_REQUESTED
from clearline.contracts.verification import CANCEL_REQUESTED, REQUESTED, VerificationRequested
from clearline.probes.forms import parse_config
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import StepFailed
from clearline.probes.redact import Redactor
from clearline.probes.registry import kind_named
from clearline.probes.sealing import Opener
from clearline.probes.verdict import failure_of
from verifier.answers import Answers, Publish
from verifier.cancels import Cancels
from verifier.credentials import opened
from verifier.metrics import VerifierMetrics
from verifier.reseals import Reseals

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Answers verification requests. It keeps nothing: a request is complete in itself."""

    publish: Publish
    opener: Opener
    policy: OutboundPolicy
    clock: Clock
    metrics: VerifierMetrics
    catalogue: Catalogue = field(default_factory=load)
    limits: Limits = field(default_factory=Limits)
    cancels: Cancels = field(default_factory=Cancels)

    def end_cancelled_verification(self, received: Received) -> bool:
        """A cancel overtakes the queue of its key; True means that the record is done."""
        event = received.event
        if event is None or event.type.name != CANCEL_REQUESTED.name:
            return False
        self.cancels.cancel(event.data.verification_id)
        return True

    async def climb_for_request(self, received: Received) -> Outcome:
        """Verify what is asked for and tell every step and the end. Cancelled by the chassis, it tells nothing more."""
        event = received.event
        if event is not None and event.type.name == RESEAL_REQUESTED.name:
            await self._reseals(event).answer(self.opener)
            return Done()
        if event is None or event.type.name != REQUESTED.name:
            return Done()
        begun = self.clock.monotonic()
        answers = self._answers(event)
        with tracing.work("verify", "internal", {"clearline.connection.kind": event.data.kind}) as span:
            verdict = await self._verdict(answers)
            _note(span, verdict)
        await self._end(answers, verdict, self.clock.monotonic() - begun)
        return Done()

    async def fail_dead_request(self, received: Received, dead: Dead) -> None:
        """A request that could not be handled ends with a failure before it goes to the dead letters.

        What else is known of it lies there: its detail may be a library's text, which no form's user is to read.
        """
        event = received.event
        if event is not None and event.type.name == RESEAL_REQUESTED.name:
            with correlation.bound(event.correlation_id):
                await self._reseals(event).refuse(dead)
        if event is not None and event.type.name == REQUESTED.name:
            answers = self._answers(event)
            verdict = self._refused(StepFailed("VERIFIER_FAILED", why=dead.reason.value))
            with correlation.bound(event.correlation_id):
                await self._end(answers, verdict, 0.0)

    async def _end(self, answers: Answers, verdict: Verdict, seconds: float) -> None:
        """Tell the asker, the metrics and the log. The line stands under the request's correlation id."""
        await answers.end(verdict)
        self.metrics.count(answers.request.kind, verdict, seconds)
        _LOG.info(
            "verification ended",
            verification_id=str(answers.request.verification_id),
            kind=answers.request.kind,
            result=verdict.status,
            code=verdict.failure.code if verdict.failure else None,
            ms=round(seconds * 1000),
        )

    def _reseals(self, event: Event) -> Reseals:
        return Reseals(event, event.data, self.publish, self.clock, self.metrics, self.catalogue)

    def _answers(self, event: Event) -> Answers:
        request: VerificationRequested = event.data
        return Answers(event, request, self.publish, self.clock)

    async def _verdict(self, answers: Answers) -> Verdict:
        request = answers.request
        left = request.deadline - self.clock.now()
        if left <= timedelta(0):
            return self._refused(StepFailed("VERIFICATION_OVERDUE"))
        try:
            kind = kind_named(request.kind)
            config = parse_config(kind, request.config)
            credentials = opened(request, kind, config, self.opener)
        except ClearlineError as error:
            return self._refused(_finding(error))
        total = min(self.limits.total_seconds, left.total_seconds())
        with self.cancels.running(request.verification_id) as cancelled:
            return await climb(
                kind,
                config,
                credentials,
                policy=self.policy,
                limits=replace(self.limits, total_seconds=total),
                clock=self.clock,
                on_step=answers.step,
                cancelled=cancelled,
                catalogue=self.catalogue,
            )

    def _refused(self, finding: StepFailed) -> Verdict:
        """An end without any step: nothing was dialled."""
        failure = failure_of(finding, None, known={}, redactor=Redactor(()), catalogue=self.catalogue)
        return Verdict(status="failed", steps=(), failure=failure)


def _finding(error: ClearlineError) -> StepFailed:
    """What is wrong with the request itself: its first fault, which names a field of the form."""
    if error.errors:
        first = error.errors[0]
        return StepFailed(first.code, field=first.pointer, detail=first.detail)
    finding = StepFailed(error.code, field=error.pointer, detail=error.operator_detail or "")
    finding.variables = error.variables
    return finding


def _note(span: tracing.Span, verdict: Verdict) -> None:
    """How far it came; no evidence, which may be long and is kept with the verification."""
    for step in verdict.steps:
        span.note(f"clearline.step.{step.name}", f"{step.status} in {step.duration_ms:.1f} ms")
    if verdict.failure is not None:
        span.fail(verdict.failure.code)
