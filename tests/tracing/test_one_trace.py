"""A command's whole way is one trace: HTTP, outbox, Kafka, verifier, Kafka, projection; with a real stack around it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.faults.installation import Installation, installed
from tests.faults.load import listener
from tests.harness.collector import CollectedSpan, Collector, collecting
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

PASSWORD = "c4nary-in-a-trace"
GIVEN = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Traced:
    installation: Installation
    collector: Collector
    port: int

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        told = {"authorization": f"Bearer {self.installation.token}", **headers}
        async with (
            aiohttp.ClientSession(headers=told) as session,
            session.request(method, self.installation.url + path, json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def metrics_of(self, process: str, **headers: str) -> str:
        url = f"{self.installation.addresses[process]}/metrics"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            return await answer.text()

    async def create(self, name: str, **headers: str) -> Any:
        config = {"url": f"http://127.0.0.1:{self.port}/", "auth": "bearer"}
        body = {"name": name, "environment": "development", "kind": "http", "config": config,
                "credentials": {"token": PASSWORD}}  # fmt: skip
        status, told = await self.ask("POST", "/connections", body, **headers)
        assert status == 201, told
        return told

    async def until_ended(self, connection_id: str) -> None:
        async def ended() -> bool:
            _, told = await self.ask("GET", f"/connections/{connection_id}")
            return bool(told["verification"]["status"] != "pending")

        await until(ended, within=30)


@pytest.fixture(scope="module")
async def traced(
    own_kafka: KafkaServer, own_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Traced]:
    folder: Path = tmp_path_factory.mktemp("traced")
    async with collecting() as collector, listener() as port:
        otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        async with installed(folder, own_kafka, own_postgres, settings=otel) as installation:
            yield Traced(installation, collector, port)


async def test_a_command_is_one_trace_to_its_last_projection(traced: Traced) -> None:
    made = await traced.create("one-trace", traceparent=f"00-{GIVEN}-b7ad6b7169203331-01")
    await traced.until_ended(made["id"])

    def whole() -> bool:
        seen = {(span.service, span.name) for span in traced.collector.of_trace(GIVEN)}
        return seen >= {
            ("gateway", "POST /api/v1/connections"),
            ("gateway", "create clearline.connections"),
            ("gateway", "create clearline.verification-requests"),
            ("gateway", "send clearline.connections"),
            ("gateway", "send clearline.verification-requests"),
            ("verifier", "process clearline.verification-requests"),
            ("verifier", "verify"),
            ("verifier", "send clearline.verifications"),
            ("gateway-project", "process clearline.verifications"),
            ("gateway-project", "process clearline.connections"),
        }

    await until(whole, within=15)
    spans = traced.collector.of_trace(GIVEN)
    assert _way_up(spans, "gateway-project", "process clearline.verifications") == [
        "send clearline.verifications",
        "verify",
        "process clearline.verification-requests",
        "create clearline.verification-requests",
        "POST /api/v1/connections",
    ]
    request = next(span for span in spans if span.name == "POST /api/v1/connections")
    assert request.parent_id == "b7ad6b7169203331"
    assert request.attributes["http.response.status_code"] == 201


def _way_up(spans: list[CollectedSpan], service: str, name: str) -> list[str]:
    """The names of what caused the first of this name (it tells of a step), up to the request."""
    by_id = {span.span_id: span for span in spans}
    span = next(each for each in spans if (each.service, each.name) == (service, name))
    way = []
    while (parent := by_id.get(span.parent_id)) is not None:
        way.append(parent.name)
        span = parent
    return way


async def test_a_callers_wish_not_to_be_recorded_is_kept(traced: Traced) -> None:
    quiet, loud = "1" * 32, "2" * 32
    made = await traced.create("quiet", traceparent=f"00-{quiet}-b7ad6b7169203331-00")
    await traced.until_ended(made["id"])
    after = await traced.create("loud", traceparent=f"00-{loud}-b7ad6b7169203331-01")
    await traced.until_ended(after["id"])
    await until(lambda: any(span.service == "gateway-project" for span in traced.collector.of_trace(loud)), within=15)
    assert traced.collector.of_trace(quiet) == []


async def test_a_problem_names_its_trace(traced: Traced) -> None:
    status, told = await traced.ask("POST", "/connections", {"name": ""})
    assert status == 422
    await until(lambda: bool(traced.collector.of_trace(told["trace_id"])), within=15)
    (span,) = traced.collector.of_trace(told["trace_id"])
    assert span.attributes["clearline.correlation_id"] == told["correlation_id"]


@pytest.mark.parametrize(
    ("process", "histogram"),
    [
        ("gateway", "clearline_http_request_duration_seconds"),
        ("projector", "clearline_handler_duration_seconds"),
        ("verifier", "clearline_handler_duration_seconds"),
        ("verifier", "clearline_verification_duration_seconds"),
    ],
)
async def test_latency_histograms_lead_to_traces_for_whoever_asks_for_openmetrics(
    traced: Traced, process: str, histogram: str
) -> None:
    made = await traced.create(f"exemplar-{process}-{histogram[10:14]}")
    await traced.until_ended(made["id"])
    rich = await traced.metrics_of(process, accept="application/openmetrics-text")
    lines = [line for line in rich.splitlines() if line.startswith(f"{histogram}_bucket")]
    told = {line.partition('# {trace_id="')[2][:32] for line in lines if "# {" in line}
    assert told
    await until(lambda: told <= {span.trace_id for span in traced.collector.spans}, within=15)
    plain = await traced.metrics_of(process)
    assert histogram in plain
    assert "trace_id" not in plain, "the older format has no place for it"


async def test_no_secret_is_in_any_span(traced: Traced) -> None:
    marked = await traced.create("canary-c4nary", traceparent=f"00-{'3' * 32}-b7ad6b7169203331-01")
    await traced.until_ended(marked["id"])
    await until(lambda: any(s.service == "gateway-project" for s in traced.collector.of_trace("3" * 32)), within=15)
    everything = b"".join(traced.collector.bodies)
    assert marked["id"].encode() in everything, "the search finds what is there"
    assert PASSWORD.encode() not in everything
    assert traced.installation.token.encode() not in everything
