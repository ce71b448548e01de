"""The operations port: metrics, liveness, readiness that names each check."""

from typing import Any

import orjson

from clearline.chassis.health import CheckResult, Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp


async def ask(app: OpsApp, path: str, method: str = "GET") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body of a request is nobody's business here")

    await app({"type": "http", "method": method, "path": path}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_readiness_names_each_check() -> None:
    health, state = Health(), CheckResult(ok=False, detail="waiting for Kafka")
    health.add("consumer", lambda: state)
    health.add("bus", lambda: CheckResult(ok=False, detail="away"), required=False)
    health.add("broken", lambda: 1 / 0, required=False)  # type: ignore[arg-type, return-value] # a check with a defect
    app = OpsApp(Metrics(), health)
    status, body = await ask(app, "/health/ready")
    assert status == 503
    assert orjson.loads(body)["checks"]["consumer"] == {"ok": False, "detail": "waiting for Kafka"}
    assert (await ask(app, "/health/live"))[0] == 200
    state = CheckResult(ok=True, detail="12 partitions")
    status, body = await ask(app, "/health/ready")
    assert status == 200
    assert orjson.loads(body)["checks"]["bus"]["ok"] is False


async def test_metrics_are_served_and_other_paths_are_not() -> None:
    metrics = Metrics()
    metrics.tell_build(service="verifier", version="0.1.0", installation="test")
    metrics.dead_letters.labels("t", "no_key").inc()
    app = OpsApp(metrics, Health())
    _, body = await ask(app, "/ops/metrics")
    assert b'clearline_build_info{installation="test",service="verifier",version="0.1.0"} 1.0' in body
    assert b'clearline_dead_letters_total{reason="no_key",topic="t"} 1.0' in body
    assert (await ask(app, "/metrics", "POST"))[0] == 405
    assert (await ask(app, "/secrets"))[0] == 404
    assert await ask(app, "/metrics", "HEAD") == (200, b"")
