from ipaddress import IPv6Address, ip_address

import pytest
from tests.harness.forbidden_targets import SPELLINGS

from clearline.probes.addresses import addresses_meant, canonical_host, is_host, is_literal
from clearline.probes.outbound import Approved, Forbidden, OutboundPolicy, Reason, check_literal

CLOSED = OutboundPolicy()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_forbidden_address_is_forbidden_in_every_spelling(spelling: str) -> None:
    assert isinstance(check_literal(spelling, CLOSED), Forbidden)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("localhost", Reason.LOOPBACK),
        ("LOCALHOST.", Reason.LOOPBACK),
        ("anything.localhost", Reason.LOOPBACK),
        ("ip6-localhost", Reason.LOOPBACK),
        ("metadata.google.internal", Reason.LINK_LOCAL),
        ("::1", Reason.LOOPBACK),
        ("[0:0:0:0:0:0:0:1]", Reason.LOOPBACK),
        ("::", Reason.UNSPECIFIED),
        ("fe80::1%eth0", Reason.LINK_LOCAL),
        ("fc00::1", Reason.PRIVATE),
        ("fec0::1", Reason.PRIVATE),
        ("fd00:ec2::254", Reason.METADATA),
        ("168.63.129.16", Reason.METADATA),
        ("224.0.0.1", Reason.MULTICAST),
        ("ff02::1", Reason.MULTICAST),
        ("255.255.255.255", Reason.RESERVED),
        ("240.0.0.1", Reason.RESERVED),
        ("192.88.99.1", Reason.RESERVED),
        ("198.18.0.1", Reason.RESERVED),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reason.RESERVED),
        ("64:ff9b::808:808", Reason.TRANSLATED),
        ("2002:808:808::1", Reason.TRANSLATED),
        ("::ffff:0:8.8.8.8", Reason.TRANSLATED),
        ("4000::1", Reason.RESERVED),
    ],
)
def test_the_reason_is_said(text: str, reason: Reason) -> None:
    verdict = check_literal(text, CLOSED)
    assert verdict is not None
    assert verdict.reason is reason


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8", "1.1.1.1.", "2606:4700:4700::1111", "[2001:4860:4860::8888]", "example.com", "db-1.eu.example.com",
        "bücher.example", "localhost.example.com", "10.example.com", "my_service", "xn--bcher-kva.example",
        "126.255.255.255",
        "128.0.0.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.0", "169.253.1.1", "223.255.255.255",
    ],
)  # fmt: skip
def test_good_hosts_are_not_refused(host: str) -> None:
    assert check_literal(host, CLOSED) is None
    assert is_host(host)


def test_private_networks_open_by_their_network_and_metadata_by_its_very_address() -> None:
    wide = OutboundPolicy.parse(["10.0.0.0/8", "169.254.0.0/16", "fe80::/10", "0.0.0.0/0", "::/0"])
    assert isinstance(wide.judge(ip_address("10.9.9.9")), Approved)
    assert isinstance(wide.judge(ip_address("::ffff:10.9.9.9")), Approved)
    for text in ("169.254.169.254", "fe80::1", "100.100.100.200", "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "::"):  # noqa: S104
        assert isinstance(wide.judge(ip_address(text)), Forbidden), text
    named = OutboundPolicy.parse(["169.254.169.254", " fe80::1/128 "])
    assert isinstance(named.judge(ip_address("169.254.169.254")), Approved)
    assert isinstance(named.judge(ip_address("fe80::1")), Approved)
    assert isinstance(named.judge(ip_address("169.254.169.253")), Forbidden)


def test_a_translated_address_needs_its_network_and_a_good_address_inside() -> None:
    policy = OutboundPolicy.parse(["64:ff9b::/96"])
    assert isinstance(policy.judge(IPv6Address("64:ff9b::808:808")), Approved)
    assert isinstance(policy.judge(IPv6Address("64:ff9b::7f00:1")), Forbidden)


def test_an_ambiguous_octal_is_forbidden_if_one_reading_is() -> None:
    assert {str(address) for address in addresses_meant("010.0.0.1")} == {"8.0.0.1", "10.0.0.1"}
    assert check_literal("010.0.0.1", CLOSED) is not None


def test_localhost_is_allowed_when_one_of_its_addresses_is() -> None:
    assert check_literal("localhost", OutboundPolicy.parse(["127.0.0.0/8"])) is None


def test_a_network_that_is_none_stops_the_start() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/33"):
        OutboundPolicy.parse(["10.0.0.0/33"])
    with pytest.raises(ValueError, match="host bits"):
        OutboundPolicy.parse(["10.0.0.1/8"])


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "256.1.1.1", "1.2.3.4.5", "-a.example", "a..b", "a" * 64, "x." * 130, "[::1", "::1%eth0",
     "ex*mple.com", "1" * 5000, "0x" + "f" * 5000, "a\u0000b"],
)  # fmt: skip
def test_what_is_no_host_is_none(text: str) -> None:
    assert not is_host(text)


def test_the_canonical_host_is_one_text_per_place() -> None:
    assert {canonical_host(text) for text in ("127.1", "0x7f000001", "2130706433", "127.0.0.1.")} == {"127.0.0.1"}
    assert canonical_host("DB.Example.COM.") == "db.example.com"
    assert canonical_host("[2001:DB8::0:1]") == "2001:db8::1"
    assert canonical_host("Bücher.example") == "xn--bcher-kva.example"
    assert is_literal("0x7f.1")
    assert not is_literal("x7f.1")
