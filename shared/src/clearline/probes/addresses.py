"""Reads a host the way the most lenient client library would, so that no spelling of an address slips past as a name.

Pure: nothing in here resolves. `inet_aton` accepts `127.1`, `0x7f000001`, `2130706433` and `0177.0.0.1`; Unicode
normalisation turns full-width digits into plain ones; and a leading zero means octal to some readers and nothing to
others, so that such a text stands for every address that any of them would dial.
"""

import re
import unicodedata
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote

Address = IPv4Address | IPv6Address

MAX_HOST = 253
"""RFC 1035, section 2.3.4, without the trailing dot."""

_LOOPBACK: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_METADATA: tuple[Address, ...] = (IPv4Address("169.254.169.254"),)
_KNOWN_NAMES = {
    "localhost": _LOOPBACK,
    "localhost.localdomain": _LOOPBACK,
    "localhost4": _LOOPBACK,
    "localhost4.localdomain4": _LOOPBACK,
    "localhost6": _LOOPBACK,
    "localhost6.localdomain6": _LOOPBACK,
    "ip6-localhost": _LOOPBACK,
    "ip6-loopback": _LOOPBACK,
    "metadata": _METADATA,
    "metadata.google.internal": _METADATA,
    "metadata.goog": _METADATA,
    "instance-data": _METADATA,
    "instance-data.ec2.internal": _METADATA,
}
"""Names that mean the same address everywhere, from hosts files and cloud images."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def plain_host(host: str) -> str:
    """The host without what lenient readers ignore: brackets, trailing dots, percent signs, compatibility letters."""
    text = unicodedata.normalize("NFKC", unquote(host)).replace("。", ".").strip().lower()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return text.rstrip(".") if ":" not in text else text


def addresses_meant(host: str) -> tuple[Address, ...]:
    """Every address that some reader takes this text for, the `inet_aton` reading first; empty for other names."""
    text = plain_host(host)
    if ":" in text:
        return _ipv6(text)
    if text in _KNOWN_NAMES:
        return _KNOWN_NAMES[text]
    if text.endswith(".localhost"):  # RFC 6761, section 6.3
        return _LOOPBACK
    return tuple(dict.fromkeys(_ipv4(text)))


def is_literal(host: str) -> bool:
    """Whether the text is an address in some spelling, rather than a name."""
    text = plain_host(host)
    return bool(_ipv6(text) if ":" in text else next(_ipv4(text), None))


def canonical_host(host: str) -> str:
    """The one text under which a host is dialled and bound: an address in its usual spelling, or a lower-case name."""
    text = plain_host(host)
    if is_literal(host):
        return str(addresses_meant(host)[0])
    return text if text.isascii() else text.encode("idna").decode()


def is_host(host: str) -> bool:
    """Whether a text can be a host at all: an address that all readers read alike, or a name that DNS can hold."""
    if is_literal(host):
        return "%" not in host and len(addresses_meant(host)) == 1  # a zone names an interface of whoever dials
    try:
        name = canonical_host(host)
    except UnicodeError:
        return False
    labels = name.split(".")
    ends_in_number = _NUMBER.fullmatch(labels[-1]) is not None  # 256.1.1.1 is no name either
    return len(name) <= MAX_HOST and not ends_in_number and all(_LABEL.fullmatch(label) for label in labels)


def _ipv6(text: str) -> tuple[Address, ...]:
    try:
        return (IPv6Address(text.partition("%")[0]),)
    except AddressValueError:
        return ()


def _ipv4(text: str) -> Iterator[Address]:
    """The readings of `inet_aton`: one to four numbers, the last of which fills what is left."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):  # noqa: PLR2004 - four octets
        return
    for octal in (True, False):
        numbers = [_number(part, octal=octal) for part in parts]
        if None not in numbers:
            yield from _joined([number for number in numbers if number is not None])


def _number(part: str, *, octal: bool) -> int | None:
    if part[:2] in ("0x", "0X"):
        return int(part[2:] or "0", 16) if len(part) <= 16 else None  # noqa: PLR2004 - far beyond 32 bits
    if len(part) > 16:  # noqa: PLR2004 - int() of a long text takes quadratic time
        return None
    try:
        return int(part, 8 if octal and part.startswith("0") else 10)
    except ValueError:
        return None


def _joined(numbers: list[int]) -> Iterator[Address]:
    *leading, last = numbers
    room = 4 - len(leading)
    if all(number <= 255 for number in leading) and last < 256**room:  # noqa: PLR2004 - an octet
        value = last
        for index, number in enumerate(leading):
            value |= number << (24 - 8 * index)
        yield IPv4Address(value)
