"""Which addresses may be dialled for a user. Private networks only when the installation names them (SSRF)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from clearline.probes.addresses import Address, addresses_meant

Network = IPv4Network | IPv6Network


class Reason(StrEnum):
    """Why an address is not dialled."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"
    TRANSLATED = "translated"
    """An IPv6 address that stands for an IPv4 one: a gateway on the way would decide what is really dialled."""
    NOT_AN_ADDRESS = "not_an_address"


@dataclass(frozen=True, slots=True)
class Approved:
    """May be dialled."""

    address: Address


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Must not be dialled."""

    address: Address | None
    reason: Reason


_NEVER = (
    (ip_network("0.0.0.0/8"), Reason.UNSPECIFIED),  # Linux dials the machine itself
    (ip_network("::/128"), Reason.UNSPECIFIED),
    (ip_network("224.0.0.0/4"), Reason.MULTICAST),
    (ip_network("ff00::/8"), Reason.MULTICAST),
    (ip_network("255.255.255.255/32"), Reason.RESERVED),
)
"""No list of allowed networks opens these."""

_BY_NAME_ONLY = (
    (ip_network("169.254.0.0/16"), Reason.LINK_LOCAL),
    (ip_network("fe80::/10"), Reason.LINK_LOCAL),
    (ip_network("fd00:ec2::/32"), Reason.METADATA),  # Amazon
    (ip_network("fd20:ce::254/128"), Reason.METADATA),  # Google
    (ip_network("100.100.100.200/32"), Reason.METADATA),  # Alibaba
    (ip_network("192.0.0.192/32"), Reason.METADATA),  # Oracle
    (ip_network("168.63.129.16/32"), Reason.METADATA),  # Azure; a public address
)
"""Where clouds hand out credentials: allowed only when the very address is named, not through a wide network."""

_TRANSLATED = (
    (ip_network("64:ff9b::/96"), 0),  # NAT64, RFC 6052; `is_global` says True
    (ip_network("64:ff9b:1::/48"), 0),  # local NAT64, RFC 8215
    (ip_network("2002::/16"), 80),  # 6to4, RFC 3056
    (ip_network("::ffff:0:0:0/96"), 0),  # stateless translation, RFC 2765 (SIIT); `is_global` says True
    (ip_network("::/96"), 0),  # IPv4-compatible, RFC 4291
)
"""Network → how far the embedded IPv4 address is shifted to the left."""

_RESERVED = tuple(
    (ip_network(text), reason)
    for text, reason in (
        ("127.0.0.0/8", Reason.LOOPBACK),
        ("::1/128", Reason.LOOPBACK),
        ("10.0.0.0/8", Reason.PRIVATE),
        ("172.16.0.0/12", Reason.PRIVATE),
        ("192.168.0.0/16", Reason.PRIVATE),
        ("100.64.0.0/10", Reason.PRIVATE),  # carrier NAT, RFC 6598
        ("fc00::/7", Reason.PRIVATE),
        ("fec0::/10", Reason.PRIVATE),  # site-local, RFC 3879; `is_global` says True
        ("192.0.0.0/24", Reason.RESERVED),
        ("192.0.2.0/24", Reason.RESERVED),
        ("192.88.99.0/24", Reason.RESERVED),  # 6to4 relays, RFC 7526
        ("198.18.0.0/15", Reason.RESERVED),
        ("198.51.100.0/24", Reason.RESERVED),
        ("203.0.113.0/24", Reason.RESERVED),
        ("240.0.0.0/4", Reason.RESERVED),
        ("100::/64", Reason.RESERVED),
        ("2001::/23", Reason.RESERVED),  # Teredo, ORCHID, benchmarking
        ("2001:db8::/32", Reason.RESERVED),
        ("3fff::/20", Reason.RESERVED),
        ("5f00::/16", Reason.RESERVED),
    )
)
"""IANA's special-purpose registries, written out: Python's own tables differ between its versions."""

_UNICAST = ip_network("2000::/3")
"""The only part of IPv6 that IANA has given out to be reached by everyone; all else is reserved."""

_ISATAP = (0x00005EFE, 0x02005EFE)
"""Third group pair of fe80::5efe:a.b.c.d and of its global forms (RFC 5214)."""


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What an installation lets its probes dial, beyond the public internet."""

    allow: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "OutboundPolicy":
        """From the networks of `CLEARLINE_OUTBOUND_ALLOW`; a ValueError names the one that is none."""
        return cls(tuple(ip_network(text.strip()) for text in texts if text.strip()))

    def judge(self, address: Address) -> Approved | Forbidden:
        """Whether this very address may be dialled."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return self.judge(address.ipv4_mapped)
        if reason := _reason_in(_NEVER, address):
            return Forbidden(address, reason)
        if reason := _reason_in(_BY_NAME_ONLY, address):
            return Approved(address) if self._names(address) else Forbidden(address, reason)
        if (inner := _embedded(address)) is not None and address != IPv6Address("::1"):
            through = self._allows(address) and isinstance(self.judge(inner), Approved)
            return Approved(address) if through else Forbidden(address, Reason.TRANSLATED)
        if self._allows(address) or (not (reason := _reason_in(_RESERVED, address)) and _is_public(address)):
            return Approved(address)
        return Forbidden(address, reason or Reason.RESERVED)

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self.allow if network.version == address.version)

    def _names(self, address: Address) -> bool:
        return any(network.num_addresses == 1 and address in network for network in self.allow)


def check_literal(host: str, policy: OutboundPolicy) -> Forbidden | None:
    """What speaks against a host that is an address in some spelling, without resolving anything.

    A text that readers take for different addresses is forbidden if one of them is; a name with known addresses
    (`localhost`) only if all of them are. None for other names: those are judged when they are dialled.
    """
    meant = addresses_meant(host)
    judged = [policy.judge(address) for address in meant]
    forbidden = [verdict for verdict in judged if isinstance(verdict, Forbidden)]
    known_name = any(character.isalpha() for character in host) and len(meant) > 1 and ":" not in host
    if not forbidden or (known_name and len(forbidden) < len(judged)):
        return None
    return forbidden[0]


def _reason_in(table: Iterable[tuple[Network, Reason]], address: Address) -> Reason | None:
    return next((reason for network, reason in table if address in network), None)


def _is_public(address: Address) -> bool:
    return address.is_global and (isinstance(address, IPv4Address) or address in _UNICAST)


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    value = int(address)
    if (value >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(value & 0xFFFFFFFF)
    for network, shift in _TRANSLATED:
        if address in network:
            return IPv4Address((value >> shift) & 0xFFFFFFFF)
    return None
