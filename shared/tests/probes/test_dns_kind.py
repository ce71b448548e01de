"""Kind `dns` on a real name server, and with the operating system's own resolver."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.harness.name_server import ZONE, name_server

from clearline.catalogue import ClearlineError
from clearline.probes.dns_form import question_name
from clearline.probes.forms import check_addresses, parse_config
from clearline.probes.ladder import Limits
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS

QUICK = Limits(step_seconds=0.6, connect_seconds=0.5, resolve_seconds=0.5, total_seconds=3)


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


def question(port: int, name: str = f"www.{ZONE}", record_type: str = "A", **more: Any) -> dict[str, Any]:
    return {"name": name, "record_type": record_type, "resolver": "127.0.0.1", "port": port} | more


@pytest.fixture(scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    async with name_server(tmp_path_factory.mktemp("nsd")) as listening:
        yield listening


@pytest.mark.integration
async def test_a_real_name_server_is_asked_and_its_answer_shown(port: int, climbing: Any) -> None:
    verdict = await climbing("dns", question(port))
    assert verdict.status == "verified", verdict.failure
    assert [(step.name, step.status) for step in verdict.steps] == [
        ("resolve", "passed"),
        ("connect", "skipped"),
        ("exercise", "passed"),
    ]
    evidence = verdict.steps[2].evidence
    assert evidence["records"] == ["192.0.2.10", "192.0.2.11"]
    assert (evidence["ttl_seconds"], evidence["transport"], evidence["rcode"]) == (300, "udp", "NOERROR")
    assert (evidence["dnssec_authenticated"], evidence["resolver"]) == (False, f"127.0.0.1 port {port}")
    assert "AA" in evidence["flags"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "record_type", "expected"),
    [
        (f"WWW.{ZONE}.", "AAAA", ["2001:0DB8::10"]),
        (ZONE, "MX", ["10 MAIL.clearline.test", "20 mail2.clearline.test."]),
        (ZONE, "TXT", ["v=spf1 mx -all"]),
        (ZONE, "TXT", ['"v=spf1 mx " "-all"']),
        (ZONE, "CAA", ['0 issue "ca.example"']),
        (ZONE, "NS", ["ns1.clearline.test"]),
        (f"_sip._tcp.{ZONE}", "SRV", ["10 5 5060 www.clearline.test"]),
        ("192.0.2.10", "PTR", ["www.clearline.test"]),
        (f"shop.{ZONE}", "CNAME", ["www.clearline.test"]),
        (f"shop.{ZONE}", "A", ["192.0.2.11", "192.0.2.10"]),
    ],
)
async def test_records_of_each_type_compare_as_records(
    port: int, climbing: Any, name: str, record_type: str, expected: list[str]
) -> None:
    verdict = await climbing("dns", question(port, name, record_type, expected=expected, match="exact"))
    assert verdict.status == "verified", verdict.failure


@pytest.mark.integration
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": f"nothing.{ZONE}"}, ("DNS_NAME_MISSING", "/config/name")),
        ({"record_type": "MX"}, ("DNS_RECORD_MISSING", "/config/record_type")),
        ({"name": f"outside.{ZONE}"}, ("DNS_RECORD_MISSING", "/config/record_type")),
        ({"name": f"ring.{ZONE}"}, ("DNS_ALIAS_LOOP", "/config/name")),
        ({"name": "www.example.org"}, ("DNS_REFUSED", "/config/resolver")),
        ({"name": f"www.sub.{ZONE}"}, ("DNS_REFUSED", "/config/resolver")),
        ({"name": "www.broken.test"}, ("DNS_SERVER_FAILED", "/config/name")),
        ({"expected": ["192.0.2.10", "192.0.2.99"]}, ("DNS_RECORD_UNEXPECTED", "/config/expected/1")),
        ({"expected": ["192.0.2.98", "192.0.2.99"], "match": "any"}, ("DNS_RECORD_UNEXPECTED", "/config/expected")),
        ({"expected": ["192.0.2.10"], "match": "exact"}, ("DNS_RECORD_UNEXPECTED", "/config/expected")),
        ({"name": ZONE, "record_type": "MX", "expected": ["mail"]}, ("DNS_EXPECTED_UNREADABLE", "/config/expected/0")),
    ],
)
async def test_each_way_of_failing_has_its_code_and_field(
    port: int, climbing: Any, transport: str, changed: dict[str, Any], told: tuple[str, str]
) -> None:
    verdict = await climbing("dns", question(port, transport=transport) | changed)
    assert found(verdict) == (told[0], "exercise", told[1])
    assert verdict.steps[-1].evidence["rcode"]


@pytest.mark.integration
async def test_one_of_several_is_enough_where_the_config_says_so(port: int, climbing: Any) -> None:
    several = {"expected": ["192.0.2.99", "192.0.2.10"], "match": "any"}
    assert (await climbing("dns", question(port) | several)).status == "verified"
    assert (await climbing("dns", question(port, expected=["192.0.2.10"]))).status == "verified"


@pytest.mark.integration
async def test_what_does_not_fit_into_a_datagram_is_asked_again_over_tcp(port: int, climbing: Any) -> None:
    verdict = await climbing("dns", question(port, f"wide.{ZONE}", "TXT"))
    assert verdict.status == "verified", verdict.failure
    assert verdict.steps[2].evidence["transport"].startswith("udp, then tcp")
    assert verdict.steps[2].evidence["record_count"] == 40
    assert len(verdict.steps[2].evidence["records"]) == 16


async def test_a_port_where_nobody_is_and_one_that_is_silent_are_told_apart(climbing: Any) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as deaf, socket.socket(type=socket.SOCK_DGRAM) as gone:
        deaf.bind(("127.0.0.1", 0))
        gone.bind(("127.0.0.1", 0))
        free = gone.getsockname()[1]
        gone.close()
        verdict = await climbing("dns", question(free), limits=QUICK)
        assert found(verdict) == ("CONNECTION_REFUSED", "exercise", "/config/port")
        verdict = await climbing("dns", question(deaf.getsockname()[1]), limits=QUICK)
        assert found(verdict) == ("RESPONSE_TIMEOUT", "exercise", "/config/resolver")


@pytest.mark.parametrize(
    ("record_type", "addresses", "code"),
    [("A", ["192.0.2.7"], None), ("A", ["10.0.0.7"], "ADDRESS_FORBIDDEN"), ("A", ["10.0.0.7", "192.0.2.7"], None)],
)
async def test_the_operating_system_is_asked_and_private_addresses_stay_private(
    climbing: Any, moving_name: Any, record_type: str, addresses: list[str], code: str | None
) -> None:
    moving_name(addresses)
    config = {"name": "db.example.com", "record_type": record_type}
    verdict = await climbing("dns", config, allow=("192.0.2.0/24",))
    assert [step.status for step in verdict.steps[:2]] == ["skipped", "skipped"]
    assert "10.0.0.7" not in str(verdict)
    if code:
        assert found(verdict) == (code, "exercise", "/config/name")
    else:
        assert verdict.steps[2].evidence["records"] == ["192.0.2.7"]
        assert verdict.steps[2].evidence["refused_by_policy"] == len(addresses) - 1


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (socket.EAI_NONAME, "UNKNOWN_HOST", "/config/name"),
        (socket.EAI_NODATA, "DNS_RECORD_MISSING", "/config/record_type"),
        (socket.EAI_AGAIN, "RESOLVE_TIMEOUT", "/config/name"),
    ],
)
async def test_what_the_operating_system_does_not_find(
    climbing: Any, monkeypatch: pytest.MonkeyPatch, error: int, code: str, field: str
) -> None:
    def fails(*_: Any) -> Any:
        raise socket.gaierror(error, "as the system says it")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    verdict = await climbing("dns", {"name": "db.example.com"})
    assert found(verdict) == (code, "exercise", field)


@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        ({"name": "example.com", "record_type": "MX"}, "/config/resolver", "FIELD_REQUIRED"),
        ({"name": "_x.example.com/a", "record_type": "A"}, "/config/resolver", "FIELD_REQUIRED"),
        ({"name": "192.0.2.1", "resolver": "r.example"}, "/config/record_type", "FIELD_FORMAT"),
        ({"name": "a b", "resolver": "r.example"}, "/config/name", "FIELD_FORMAT"),
        ({"name": "a..b", "resolver": "r.example"}, "/config/name", "FIELD_FORMAT"),
        ({"name": "x" * 64, "resolver": "r.example"}, "/config/name", "FIELD_FORMAT"),
        ({"name": "", "resolver": "r.example"}, "/config/name", "FIELD_FORMAT"),
        ({"name": "a.b", "record_type": "ANY", "resolver": "r.example"}, "/config/record_type", "FIELD_FORMAT"),
        ({"name": "a.b", "expected": ["192.0.2.256"]}, "/config/expected", "FIELD_FORMAT"),
        ({"name": "a.b", "expected": ["::1"]}, "/config/expected", "FIELD_FORMAT"),
    ],
)
def test_a_form_that_cannot_be_asked_is_refused(raw: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_config(KINDS["dns"], raw)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


def test_a_private_name_server_is_refused_where_the_installation_does_not_list_it() -> None:
    config = parse_config(KINDS["dns"], {"name": "example.com", "resolver": "127.0.0.53"})
    with pytest.raises(ClearlineError) as refused:
        check_addresses(KINDS["dns"], config, OutboundPolicy())
    assert refused.value.errors[0].pointer == "/config/resolver"
    check_addresses(KINDS["dns"], config, OutboundPolicy.parse(["127.0.0.53"]))


def test_names_beyond_ascii_are_asked_as_the_system_knows_them() -> None:
    assert question_name("bücher.example.") == "xn--bcher-kva.example"
    assert question_name("2001:db8::1").endswith(".ip6.arpa")
