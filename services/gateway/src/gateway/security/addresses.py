"""Whom failed sign-ins are counted for: the client's address, an IPv6 one by its network of 64 bits."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
NOBODY = "unknown"
_PREFIX = 64
"""What one customer is given at least: within it whoever is refused would simply take the next address."""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of proxies that are believed. Raises ValueError."""
    return tuple(ip_network(each) for each in texts)


def counted_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who it came from: the peer; behind proxies that are believed, the last address that is none of theirs.

    What stands further to the left in X-Forwarded-For was written by the client, or anybody.
    """
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    address = _normal(peer or "")
    while hops and address is not None and any(address in network for network in trusted):
        further = _normal(hops.pop())
        if further is None:
            break
        address = further
    if address is None:
        return NOBODY
    return str(ip_network((address, _PREFIX), strict=False)) if address.version == 6 else str(address)  # noqa: PLR2004


def _normal(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
