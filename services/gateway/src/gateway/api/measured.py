"""Counts requests and times them by operation; a path would be an unbounded label."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearline.chassis import tracing

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NO_OPERATION = "none"
"""A path that no route takes."""


class HttpMetrics:
    """What HTTP adds to the metrics of its process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Traffic and its failures, by operation of the OpenAPI document and status.
        self.requests = Counter(
            "clearline_http_requests", "Requests answered.", ("operation", "status"), registry=registry
        )

        # What users wait for. Operations without traffic make no series.
        self.seconds = Histogram(
            "clearline_http_request_duration_seconds",
            "Time from the request's first byte to the answer's last.",
            ("operation",),
            buckets=SECONDS,
            registry=registry,
        )
        self._series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def note(self, operation: str, status: str, seconds: float) -> None:
        """One request was answered. The series are looked up once: their labels are checked anew at each look."""
        if (series := self._series.get((operation, status))) is None:
            series = self.requests.labels(operation, status), self.seconds.labels(operation)
            self._series[operation, status] = series
        counted, timed = series
        counted.inc()
        timed.observe(seconds, tracing.exemplar())


class Measured:
    """Pure ASGI, around everything that answers."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._metrics = metrics
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = "none", self._monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            operation = getattr(scope.get("route"), "operation_id", None) or NO_OPERATION
            self._metrics.note(operation, status, self._monotonic() - begun)
