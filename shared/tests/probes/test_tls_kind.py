from pathlib import Path
from typing import Any

import pytest
from tests.harness.authority import Authority
from tests.harness.tls_server import tls_answering

from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import (
    announcing_postgres,
    answering,
    closing,
    dripping,
    flooding,
    half_handshake,
    http_answer,
    resetting,
    serving,
    silent,
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


async def test_a_server_that_proves_its_name_is_verified(climbing: Any, authority: Authority, tmp_path: Path) -> None:
    trusted = {"ca_certificate": authority.pem}
    with tls_answering(authority.issue("db.example.com", "127.0.0.1").server(tmp_path)) as port:
        by_address = await climbing("tls", {"host": "127.0.0.1", "port": port} | trusted)
        by_name = await climbing("tls", {"host": "127.0.0.1", "port": port, "server_name": "DB.example.com."} | trusted)
        wrong = await climbing("tls", {"host": "127.0.0.1", "port": port, "server_name": "x.example.com"} | trusted)
    assert by_address.status == by_name.status == "verified", (by_address.failure, by_name.failure)
    assert [step.name for step in by_name.steps] == ["resolve", "connect", "tls"]
    assert by_name.steps[2].evidence["server_name"] == "db.example.com"
    assert found(wrong) == ("TLS_WRONG_HOST", "tls", "/config/server_name")


@pytest.mark.parametrize(("minimum", "fails"), [(0, False), (20, False), (21, True)])
async def test_a_certificate_must_last_as_long_as_asked(
    climbing: Any,
    authority: Authority,
    tmp_path: Path,
    minimum: int,
    fails: bool,  # noqa: FBT001 - a table
) -> None:
    with tls_answering(authority.issue("localhost", days=20.5).server(tmp_path)) as port:
        config = {"host": "localhost", "port": port, "ca_certificate": authority.pem, "minimum_days": minimum}
        verdict = await climbing("tls", config)
    assert (verdict.failure is not None) is fails
    if fails:
        assert found(verdict) == ("TLS_CERTIFICATE_EXPIRING", "tls", "/config/minimum_days")
        assert verdict.steps[2].evidence["certificate"]["days_left"] == 20


async def test_an_authority_that_nobody_knows_is_told_where_it_is_entered(
    climbing: Any, authority: Authority, tmp_path: Path
) -> None:
    for issued, code in (
        (authority.issue("localhost"), "TLS_UNKNOWN_AUTHORITY"),
        (authority.issue("localhost", self_signed=True), "TLS_SELF_SIGNED"),
    ):
        with tls_answering(issued.server(tmp_path)) as port:
            verdict = await climbing("tls", {"host": "localhost", "port": port})
        assert found(verdict) == (code, "tls", "/config/ca_certificate")


@pytest.mark.parametrize(
    ("behaviour", "codes"),
    [
        (silent, {"TLS_TIMEOUT"}),
        (closing, {"CONNECTION_RESET", "SERVER_CLOSED"}),
        (resetting, {"CONNECTION_RESET"}),
        (half_handshake, {"CONNECTION_RESET", "SERVER_CLOSED"}),
        (flooding, {"TLS_NOT_SPOKEN"}),
        (dripping, {"TLS_NOT_SPOKEN"}),
        (answering(http_answer("400 Bad Request")), {"TLS_TIMEOUT", "TLS_NOT_SPOKEN"}),
        (announcing_postgres, {"TLS_NOT_SPOKEN", "TLS_TIMEOUT"}),
    ],
)
async def test_what_speaks_no_tls_is_told(climbing: Any, behaviour: Any, codes: set[str]) -> None:
    async with serving(behaviour) as server:
        verdict = await climbing("tls", {"host": "127.0.0.1", "port": server.port}, limits=Limits(step_seconds=0.5))
    code, step, field = found(verdict)
    assert (code in codes, step) == (True, "tls"), (code, verdict.failure.operator_detail)
    assert field == (
        "/config/port" if code in {"TLS_NOT_SPOKEN", "CONNECTION_RESET", "SERVER_CLOSED"} else "/config/host"
    )
