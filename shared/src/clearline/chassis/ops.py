"""`/metrics`, `/health/live` and `/health/ready` as one small ASGI app, alone on a port or mounted in the gateway."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from prometheus_client.exposition import choose_encoder

from clearline.chassis.health import Health
from clearline.chassis.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = "application/json"
OK, NOT_FOUND, METHOD_NOT_ALLOWED, UNAVAILABLE = 200, 404, 405, 503


class OpsApp:
    """Serves its paths by suffix, so that a mount prefix does not matter."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        accept = dict(scope.get("headers", ())).get(b"accept", b"").decode("latin-1")
        status, kind, body = self._answer(scope["method"], scope["path"], accept)
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, method: str, path: str, accept: str) -> tuple[int, str, bytes]:
        if method not in {"GET", "HEAD"}:
            return METHOD_NOT_ALLOWED, JSON, orjson.dumps({"detail": "Use GET."})
        if path.endswith("/metrics"):
            encode, kind = choose_encoder(accept)  # OpenMetrics, which alone has exemplars, for whoever asks for it
            return OK, kind, encode(self._metrics.registry)
        if path.endswith("/health/live"):
            return OK, JSON, orjson.dumps({"status": "live"})
        if path.endswith("/health/ready"):
            return self._ready()
        return NOT_FOUND, JSON, orjson.dumps({"detail": "Here are /metrics, /health/live and /health/ready."})

    def _ready(self) -> tuple[int, str, bytes]:
        ok, results = self._health.ready()
        checks = {name: {"ok": result.ok, "detail": result.detail} for name, result in results.items()}
        body = {"status": "ready" if ok else "not ready", "checks": checks}
        return (OK if ok else UNAVAILABLE), JSON, orjson.dumps(body)
