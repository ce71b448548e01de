"""One call of a keyed handler: timed, correlated, and with its exceptions told apart."""

from collections import Counter as Tally
from collections.abc import Awaitable

import structlog

from clearline.chassis import correlation, traced_messages, tracing
from clearline.chassis.clock import Clock
from clearline.chassis.consumption import ControlHandler, KeyedHandler, Received
from clearline.chassis.lease import LeaseLost
from clearline.chassis.metrics import Metrics
from clearline.chassis.outcome import Done, Ill, Outcome, Retry
from clearline.chassis.retry import classify

TOMBSTONE = "tombstone"

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


class Calling:
    """Calls the handler of one consumer."""

    def __init__(
        self, group: str, handler: KeyedHandler, control: ControlHandler | None, metrics: Metrics, clock: Clock
    ) -> None:
        self._group = group
        self._handler = handler
        self._control = control
        self._metrics = metrics
        self._clock = clock
        self._seconds = metrics.handler_seconds
        self._done: Tally[str] = Tally()

    def call(self, received: Received) -> Awaitable[Outcome]:
        """How the handler's call ended, once awaited. Raises only what ends the work altogether."""
        event = received.event
        correlation.bind(event.correlation_id if event is not None else None)
        traceparent = event.traceparent if event is not None else None
        if not tracing.is_recorded(traceparent):
            tracing.bind(traceparent)
            return self._timed(received)
        return self._recorded(received)

    async def _recorded(self, received: Received) -> Outcome:
        with traced_messages.processing(received, self._group) as span:
            outcome = await self._timed(received)
            if not isinstance(outcome, Done):
                span.fail(outcome.reason if isinstance(outcome, Retry) else outcome.reason.value)
            return outcome

    async def _timed(self, received: Received) -> Outcome:
        event, began = received.event, self._clock.monotonic()
        try:
            return await self._handler(received)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - the table says whose fault it is
            retry = classify(error)
            if retry.ill is Ill.RECORD:
                _LOG.warning("a handler failed", group=self._group, exc_info=error)
            return retry
        finally:
            kind = event.type.name if event is not None else TOMBSTONE
            seconds = self._seconds.labels(received.partition.topic, kind)
            seconds.observe(self._clock.monotonic() - began, tracing.exemplar())

    def is_control(self, received: Received) -> bool:
        """Whether it was a control record, and is done; one that `control` stumbles over goes the ordinary way."""
        if self._control is None:
            return False
        try:
            return self._control(received)
        except Exception as error:  # noqa: BLE001 - the record itself is still there for the handler
            _LOG.warning("a control record was not understood", group=self._group, exc_info=error)
            return False

    def count_done(self, topic: str) -> None:
        """One more record has its effect; `tell` adds it to the metric."""
        self._done[topic] += 1

    def tell(self) -> None:
        """Bring the metric up to date. Once for many records: a counter costs a tenth of reading one."""
        for topic, count in self._done.items():
            self._metrics.handled.labels(topic, "done").inc(count)
        self._done.clear()
