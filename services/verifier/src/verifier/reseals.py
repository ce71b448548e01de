"""Answers reseal requests: opens each envelope at its place and seals it for the verifier's own first key."""

from dataclasses import dataclass

import structlog

from clearline.catalogue import Catalogue, ClearlineError
from clearline.chassis.clock import Clock
from clearline.chassis.outcome import Dead
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.reseal import (
    RESEALED,
    RenewedEnvelope,
    Resealed,
    ResealRequested,
    StoredEnvelope,
    UnrenewedEnvelope,
    envelope_digest,
)
from clearline.probes.sealing import Opener
from verifier.answers import SOURCE, Publish
from verifier.metrics import VerifierMetrics

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reseals:
    """One request; `asked` is its event. A second run says the same under the same id, in other ciphertext."""

    asked: Event
    request: ResealRequested
    publish: Publish
    clock: Clock
    metrics: VerifierMetrics
    catalogue: Catalogue

    async def answer(self, opener: Opener) -> None:
        """Tell what took the place of each envelope, or why nothing did."""
        results = [self._renew(stored, opener) for stored in self.request.envelopes]
        await self._tell(results)

    async def refuse(self, dead: Dead) -> None:
        """The request itself could not be handled: every envelope stays as it is."""
        error = ClearlineError("VERIFIER_FAILED", why=dead.reason.value)
        await self._tell([self._failed(stored, error) for stored in self.request.envelopes])

    def _renew(self, stored: StoredEnvelope, opener: Opener) -> RenewedEnvelope | UnrenewedEnvelope:
        wanted, first = self.request.key_id, opener.current_key_id
        if wanted != first:
            return self._failed(stored, ClearlineError("SEALING_KEY_NOT_FIRST", key_id=wanted, current_key_id=first))
        try:
            renewed = opener.reseal(
                stored.envelope,
                subject=str(self.request.connection_id),
                kind=self.request.kind,
                field=stored.field,
                destination=stored.destination,
            )
        except ClearlineError as error:
            return self._failed(stored, error)
        return RenewedEnvelope(field=stored.field, replaces=envelope_digest(stored.envelope.sealed), envelope=renewed)

    def _failed(self, stored: StoredEnvelope, error: ClearlineError) -> UnrenewedEnvelope:
        told = error.translation(self.catalogue)
        return UnrenewedEnvelope(
            field=stored.field, key_id=stored.envelope.key_id, code=told.code, operator_detail=told.operator_summary
        )

    async def _tell(self, results: list[RenewedEnvelope | UnrenewedEnvelope]) -> None:
        body = Resealed(
            reseal_id=self.request.reseal_id,
            connection_id=self.request.connection_id,
            key_id=self.request.key_id,
            renewed=tuple(each for each in results if isinstance(each, RenewedEnvelope)),
            failed=tuple(each for each in results if isinstance(each, UnrenewedEnvelope)),
        )
        await self.publish(
            Event(
                id=event_id(self.request.reseal_id, RESEALED.name),
                type=RESEALED,
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
        self.metrics.resealed.labels("renewed").inc(len(body.renewed))
        self.metrics.resealed.labels("failed").inc(len(body.failed))
        codes = sorted({each.code for each in body.failed})
        (_LOG.warning if codes else _LOG.info)(
            "credentials resealed",
            connection_id=str(body.connection_id),
            key_id=body.key_id,
            renewed=len(body.renewed),
            failed=len(body.failed),
            codes=codes,
        )
