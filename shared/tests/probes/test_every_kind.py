"""What must hold for every kind, also for one that is added tomorrow: give it a form in SAMPLES and it is tested."""

import asyncio
import importlib
import json
import resource
import ssl
import subprocess
import sys
import time
from typing import Any

import pytest
from shared.tests.probes.kind_samples import SAMPLES, SECRET, Sample

from clearline.catalogue import ClearlineError
from clearline.contracts.verification import STEPS
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.ladder import Limits
from clearline.probes.probe import Form, Kind
from clearline.probes.registry import KINDS
from clearline.testing.hostile_servers import (
    Behaviour,
    announcing,
    announcing_postgres,
    answering,
    closing,
    dripping,
    flooding,
    greeting,
    gzip_bomb,
    half_handshake,
    http_answer,
    redirecting_for_ever,
    resetting,
    serving,
    silent,
)

SHORT = Limits(step_seconds=0.4, connect_seconds=0.4, resolve_seconds=1.4, total_seconds=1.5)
EACH = [pytest.param(name, sample, id=f"{name}-{n}") for name in KINDS for n, sample in enumerate(SAMPLES[name])]

ECHO = answering(http_answer("401 No", f"WWW-Authenticate: {SECRET}", f"Server: {SECRET}", body=SECRET.encode()))
HOSTILE: dict[str, Behaviour] = {
    "silent": silent,
    "closing": closing,
    "resetting": resetting,
    "flooding": flooding,
    "dripping": dripping,
    "half_handshake": half_handshake,
    "announcing_postgres": announcing_postgres,
    "announcing_kafka": announcing(b"\x7f\xff\xff\xff"),
    "announcing_redis": announcing(b"$1073741824\r\n"),
    "announcing_http": answering(http_answer("200 OK", f"Content-Length: {2 * 1024**3}")),
    "echoing": ECHO,
    "redirecting": answering(http_answer("302 Found", "Location: http://127.0.0.2:1/")),
    "redirecting_for_ever": redirecting_for_ever,
    "bomb": answering(http_answer("401 No", "Content-Encoding: gzip", body=gzip_bomb())),
    "greeting": greeting,
}
MANY_CONNECTIONS = 8
"""More than any climb makes to one server: who makes more follows redirects or tries again and again."""
MEMORY_KIB = 64 * 1024


def peak_memory() -> int:
    """Of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def verified_tls(kind: Kind, sample: Sample) -> bool:
    """Whether the form demands a certificate that proves the host: then nothing may be said to anybody else."""
    raw, _ = sample("127.0.0.1", 1)
    return kind.name == "tls" or raw.get("tls") == "verify-full" or str(raw.get("url", "")).startswith("https")


def only_connects(kind: Kind) -> bool:
    return kind.steps == ("resolve", "connect")


def test_every_kind_has_samples() -> None:
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_the_name_of_its_file_and_stands_in_it(name: str) -> None:
    kind = KINDS[name]
    module = importlib.import_module(f"clearline.probes.{name}")
    assert kind.name == name
    assert kind in vars(module).values()
    assert kind.title
    assert kind.description.endswith(".")
    assert list(kind.steps) == [step for step in STEPS if step in kind.steps]


@pytest.mark.parametrize("name", KINDS)
def test_a_form_says_what_it_asks(name: str) -> None:
    for model in (KINDS[name].config, KINDS[name].credentials):
        schema = model.model_json_schema()
        assert schema["additionalProperties"] is False
        for field, described in schema["properties"].items():
            assert described.get("title"), field
            assert len(json.dumps(described)) < 2000
    for field, described in KINDS[name].credentials.model_json_schema()["properties"].items():
        assert "password" in json.dumps(described), f"{field} is no secret"  # format of a SecretStr


def test_every_kind_is_known_without_any_client_library() -> None:
    blocked = ("aiohttp", "asyncpg", "cryptography", "aiokafka", "yarl", "dns.message", "redis")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from clearline.probes.registry import KINDS\n"
        "from clearline.probes.forms import parse_config\n"
        "for kind in KINDS.values(): kind.config.model_json_schema(); kind.credentials.model_json_schema()\n"
        "pg = KINDS['postgres']; pg.destination(parse_config(pg, {'host': 'h', 'database': 'd', 'user': 'u'}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)  # noqa: S603 - our own interpreter


@pytest.mark.parametrize(("name", "sample"), EACH)
def test_a_good_form_is_accepted_and_read_back(name: str, sample: Sample) -> None:
    kind = KINDS[name]
    raw, credentials = sample("db.example.com", 1234)
    config = parse_config(kind, raw)
    assert parse_config(kind, config.as_json()) == config
    assert parse_credentials(kind, credentials, config=config).given() == credentials
    assert parse_credentials(kind, {}, config=config, stored=tuple(credentials)).given() == {}
    assert kind.required_credentials(config) == credentials.keys() <= kind.allowed_credentials(config)
    assert kind.allowed_credentials(config) <= set(kind.credentials.model_fields)
    assert "db.example.com:1234" in kind.destination(config)
    assert isinstance(config, Form)


@pytest.mark.parametrize(("name", "sample"), EACH)
def test_a_credential_that_is_neither_given_nor_stored_is_asked_for(name: str, sample: Sample) -> None:
    kind = KINDS[name]
    raw, credentials = sample("db.example.com", 1234)
    for missing in credentials:
        others = {field: secret for field, secret in credentials.items() if field != missing}
        with pytest.raises(ClearlineError) as refused:
            parse_credentials(kind, others, config=parse_config(kind, raw))
        assert [(one.pointer, one.code) for one in refused.value.errors] == [
            (f"/credentials/{missing}", "FIELD_REQUIRED")
        ]


@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_a_name_that_leads_to_a_forbidden_address_is_not_dialled(
    name: str, sample: Sample, climbing: Any
) -> None:
    async with serving(silent) as canary:
        verdict = await climbing(name, *sample("localhost", canary.port), allow=(), limits=SHORT)
        assert verdict.failure.code == "ADDRESS_FORBIDDEN"
        assert (verdict.failure.step, verdict.failure.retry_class) == ("resolve", "config")
        assert canary.connections == 0
        assert "127.0.0.1" not in verdict.failure.message


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "::ffff:127.0.0.1", "127.0.0.1"])
@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_no_spelling_is_dialled(name: str, sample: Sample, host: str, climbing: Any) -> None:
    async with serving(silent) as canary:
        literal = f"[{host}]" if ":" in host and name in ("http", "supabase") else host
        verdict = await climbing(name, *sample(literal, canary.port), allow=(), limits=SHORT)
        assert verdict.failure.code == "ADDRESS_FORBIDDEN"
        assert canary.connections == 0


@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_a_name_that_moves_after_it_was_judged_is_judged_again(
    name: str, sample: Sample, climbing: Any, moving_name: Any
) -> None:
    async with serving(silent, host="127.0.0.2") as canary, serving(ECHO, port=canary.port) as server:
        moving_name(["127.0.0.1"], ["127.0.0.2"])
        raw = sample("db.example.com", server.port)
        verdict = await climbing(name, *raw, allow=("127.0.0.1",), limits=SHORT)
        assert only_connects(KINDS[name]) or verdict.status == "failed"
        assert canary.connections == 0


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_a_hostile_server_costs_little_and_learns_and_shows_nothing(
    name: str, sample: Sample, hostile: str, climbing: Any
) -> None:
    begun, memory = time.monotonic(), peak_memory()
    async with serving(silent, host="127.0.0.2") as canary, serving(HOSTILE[hostile]) as server:
        verdict = await climbing(name, *sample("127.0.0.1", server.port), limits=SHORT)
        assert server.sent < 32 * 1024 * 1024
        assert server.connections < MANY_CONNECTIONS
        assert canary.connections == 0
    assert peak_memory() - memory < MEMORY_KIB
    assert time.monotonic() - begun < SHORT.total_seconds + 6  # a loaded machine; a hang takes for ever
    assert SECRET not in str(verdict)
    if not only_connects(KINDS[name]):
        assert verdict.status == "failed"
        assert verdict.failure.code not in {"VERIFIER_FAILED", "UNEXPECTED"}, verdict.failure.operator_detail
        assert verdict.failure.remediation
        assert verdict.failure.field.startswith(("/config/", "/credentials/"))


@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_encryption_where_plain_words_are_expected_and_a_certificate_of_nobody(
    name: str, sample: Sample, climbing: Any, self_signed: ssl.SSLContext
) -> None:
    async with serving(silent, tls=self_signed) as server:
        verdict = await climbing(name, *sample("127.0.0.1", server.port), limits=SHORT)
        assert SECRET.encode() not in server.received or not verified_tls(KINDS[name], sample)
    if not only_connects(KINDS[name]):
        assert verdict.status == "failed"
        assert verdict.failure.code not in {"VERIFIER_FAILED", "UNEXPECTED"}, verdict.failure.operator_detail


@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_cancelling_ends_a_climb_that_waits(name: str, sample: Sample, climbing: Any) -> None:
    cancelled = asyncio.Event()
    async with serving(silent) as server:
        running = asyncio.ensure_future(
            climbing(name, *sample("127.0.0.1", server.port), cancelled=cancelled, limits=Limits(step_seconds=30))
        )
        while not (server.connections or running.done()):  # noqa: ASYNC110 - a deadline lies around every test
            await asyncio.sleep(0.01)
        cancelled.set()
        verdict = await asyncio.wait_for(running, 3)
    assert only_connects(KINDS[name]) or verdict.status == "cancelled"


@pytest.mark.parametrize(("name", "sample"), EACH)
async def test_a_cancelled_task_leaves_nothing_running(name: str, sample: Sample, climbing: Any) -> None:
    before = asyncio.all_tasks()
    async with serving(silent) as server:
        running = asyncio.ensure_future(
            climbing(name, *sample("127.0.0.1", server.port), limits=Limits(step_seconds=30))
        )
        while not (server.connections or running.done()):  # noqa: ASYNC110 - a deadline lies around every test
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running}, timeout=3)
        assert running.done()
    for _ in range(100):
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() <= before
