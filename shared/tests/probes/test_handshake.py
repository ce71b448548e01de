import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness.authority import Authority, Issued
from tests.harness.tls_server import tls_answering

from clearline.catalogue import ClearlineError
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.registry import KINDS
from clearline.probes.trust import trust
from clearline.testing.hostile_servers import Listening, answering, http_answer, serving, silent

OK = answering(http_answer())
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def form(server: Listening, authority: Authority, ours: Issued | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    config = {"url": f"https://localhost:{server.port}/", "ca_certificate": authority.pem}
    if ours is None:
        return config, {}
    return config | {"client_certificate": ours.certificate}, {"client_key": ours.key}


def found(verdict: Any) -> tuple[str, str | None, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


async def test_the_evidence_tells_what_was_presented_and_agreed(
    climbing: Any, authority: Authority, tmp_path: Path
) -> None:
    between = Authority("Between", above=authority)
    async with serving(OK, tls=between.issue("localhost", "127.0.0.1", days=10.5).server(tmp_path)) as server:
        verdict = await climbing("http", *form(server, authority))
    assert verdict.status == "verified", verdict.failure
    told = verdict.steps[2].evidence
    assert told.keys() == {"tls_version", "cipher", "verified", "certificate", "chain"}
    assert (told["tls_version"], told["verified"]) == ("TLSv1.3", True)
    assert told["chain"] == {"length": 2, "complete": True}
    certificate = told["certificate"]
    assert (certificate["subject"], certificate["issuer"]) == ("CN=localhost", "CN=Between")
    assert certificate["names"] == ["localhost", "127.0.0.1"]
    assert certificate["days_left"] == 10
    assert (certificate["key_type"], certificate["key_bits"]) == ("EC", 256)
    assert certificate["signature_algorithm"] == "ECDSA_WITH_SHA256"
    assert len(certificate["fingerprint_sha256"]) == 64
    assert certificate["not_before"] < certificate["not_after"]


@pytest.mark.parametrize(
    ("code", "name", "issued"),
    [
        ("TLS_CERTIFICATE_EXPIRED", "localhost", {"expired": True}),
        ("TLS_WRONG_HOST", "other.example.com", {}),
        ("TLS_SELF_SIGNED", "localhost", {"self_signed": True}),
        ("TLS_UNKNOWN_AUTHORITY", "localhost", {"with_chain": False}),
    ],
)
@pytest.mark.parametrize("demanding", [None, *VERSIONS])
async def test_a_refused_certificate_is_shown_and_nothing_is_sent_to_its_server(  # noqa: PLR0917 - a table
    climbing: Any, authority: Authority, tmp_path: Path, code: str, name: str, issued: Any, demanding: Any
) -> None:
    between = Authority("Between", above=authority)
    context = between.issue(name, **issued).server(tmp_path, clients=authority if demanding else None)
    context.maximum_version = demanding or VERSIONS[-1]
    shown: list[dict[str, Any] | None] = []

    async def noting(reader: Any, writer: Any, _: Any) -> None:
        shown.append(writer.get_extra_info("peercert"))
        assert await reader.read() == b""

    async with serving(noting, tls=context) as server:
        verdict = await climbing("http", *form(server, authority, authority.issue("client")))
    assert found(verdict)[:2] == (code, "tls")
    told = verdict.steps[2].evidence
    assert told["verified"] is False
    assert told["certificate"]["subject"] == f"CN={name}"
    assert told["chain"]["complete"] is (code != "TLS_UNKNOWN_AUTHORITY")
    assert not any(shown), "the second look came with our certificate"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_that_demands_a_client_certificate(
    climbing: Any, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = authority.issue("localhost").server(tmp_path, clients=authority)
    context.maximum_version = version
    with tls_answering(context) as port:
        server = Listening("localhost", port)
        good = await climbing("http", *form(server, authority, authority.issue("clearline")))
        none = await climbing("http", *form(server, authority))
        foreign = await climbing("http", *form(server, authority, Authority("Foreign").issue("clearline")))
    assert good.status == "verified", good.failure
    assert good.steps[2].evidence["client_certificate"]["subject"] == "CN=clearline"
    where = ("tls", "/config/client_certificate")
    assert found(none) == ("TLS_CLIENT_CERTIFICATE_REQUIRED", *where), none.failure
    assert found(foreign) == ("TLS_CLIENT_CERTIFICATE_REFUSED", *where), foreign.failure
    assert none.steps[2].evidence["certificate"]["subject"] == "CN=localhost"


async def test_whichever_part_of_the_chain_is_trusted_will_do(
    climbing: Any, authority: Authority, tmp_path: Path
) -> None:
    between = Authority("Between", above=authority)
    alone = between.issue("localhost", self_signed=True)
    for issued, trusted in (
        (between.issue("localhost"), authority.pem),
        (between.issue("localhost"), between.pem),
        (between.issue("localhost", with_chain=False), between.pem),
        (between.issue("localhost", with_chain=False), authority.pem + between.pem),
        (alone, alone.certificate),
    ):
        async with serving(OK, tls=issued.server(tmp_path)) as server:
            config = {"host": "localhost", "port": server.port, "ca_certificate": trusted}
            verdict = await climbing("tls", config)
        assert verdict.status == "verified", verdict.failure
        assert verdict.steps[2].evidence["chain"]["complete"] is True


async def test_a_server_that_heeds_no_farewell_does_not_fail_for_it(
    climbing: Any, authority: Authority, tmp_path: Path
) -> None:
    async def deaf(_reader: Any, writer: asyncio.StreamWriter, _: Listening) -> None:
        writer.write(b"220 hello\r\n")
        await asyncio.sleep(30)

    async with serving(deaf, tls=authority.issue("localhost").server(tmp_path)) as server:
        verdict = await climbing("http", *form(server, authority))
    assert verdict.steps[2].status == "passed", verdict.failure


async def test_what_does_not_belong_together_is_found_before_anything_is_dialled(
    climbing: Any, authority: Authority
) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    async with serving(silent) as server:
        config, _ = form(server, authority, one)
        with pytest.raises(ClearlineError) as refused:
            await climbing("http", config, {"client_key": other.key})
        old = await climbing("http", *form(server, authority, authority.issue("old", expired=True)))
        assert server.connections == 0
    error = refused.value.errors[0]
    assert (error.code, error.pointer) == ("CLIENT_CERTIFICATE_MISMATCH", "/credentials/client_key")
    assert found(old) == ("CLIENT_CERTIFICATE_EXPIRED", None, "/config/client_certificate")
    assert old.steps == ()
    assert not any(line in str(old) + str(error) for line in other.key.splitlines()[1:-1])


def test_a_key_and_a_certificate_need_each_other(authority: Authority) -> None:
    kind, ours = KINDS["http"], authority.issue("client")
    plain = parse_config(kind, {"url": "https://a.example/"})
    with_one = parse_config(kind, {"url": "https://a.example/", "client_certificate": ours.certificate})
    for config, given, code in ((plain, {"client_key": ours.key}, "FIELD_UNKNOWN"), (with_one, {}, "FIELD_REQUIRED")):
        with pytest.raises(ClearlineError) as refused:
            parse_credentials(kind, given, config=config)
        assert [(one.pointer, one.code) for one in refused.value.errors] == [("/credentials/client_key", code)]
    assert parse_credentials(kind, {}, config=with_one, stored=["client_key"]).given() == {}


@pytest.fixture(params=["as Python makes them", "as Debian's Python makes them"])
def contexts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What Python's own contexts do at an end without a goodbye differs from build to build."""
    made = ssl.create_default_context

    def forgiving(*args: Any, **options: Any) -> ssl.SSLContext:
        context = made(*args, **options)
        context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        return context

    if request.param.startswith("as Debian"):
        monkeypatch.setattr(ssl, "create_default_context", forgiving)
    trust.cache_clear()
    yield
    trust.cache_clear()


@pytest.mark.usefixtures("contexts")
async def test_a_server_that_hangs_up_without_a_word_has_not_agreed(
    climbing: Any, authority: Authority, tmp_path: Path
) -> None:
    """asyncio's own server: it refuses a client without a certificate and does not say so."""
    context = authority.issue("localhost").server(tmp_path, clients=authority)
    async with serving(OK, tls=context) as server:
        config = {"host": "localhost", "port": server.port, "ca_certificate": authority.pem}
        verdict = await climbing("tls", config)
        ours = authority.issue("clearline")
        good = await climbing("tls", config | {"client_certificate": ours.certificate}, {"client_key": ours.key})
    assert found(verdict)[:2] in {("SERVER_CLOSED", "tls"), ("CONNECTION_RESET", "tls")}
    assert good.status == "verified", good.failure
    assert "verified" not in verdict.steps[2].evidence, "the certificate was not what was wrong"
