"""Ways to write addresses that must never be dialled, and good targets beside them (SSRF).

`SPELLINGS` are hosts that some client library reads as a forbidden address; `RESOLVING` are names that lead to one,
which only a resolver knows; `URLS` say it in a whole URL, with `{port}`; `GOOD` must not be refused.
"""

from ipaddress import IPv4Address, IPv6Address

FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")  # noqa: RUF001 - that is the point
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def spellings_of(text: str) -> list[str]:
    """Ways of writing one IPv4 address that some client library reads as just that."""
    address = IPv4Address(text)
    number, octets = int(address), address.packed
    a, b, c, d = octets
    mapped = f"{octets[:2].hex()}:{octets[2:].hex()}"
    return [
        text,
        f"{text}.",
        str(number),
        hex(number),
        hex(number).upper(),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        ".".join(hex(octet) for octet in octets),
        ".".join(f"0{octet:o}" for octet in octets),
        ".".join(f"{octet:03d}" for octet in octets),
        ".".join(f"{octet:03o}".zfill(4) for octet in octets),
        f"{a:#x}.{b:o}.{c}.{d}" if b < 8 else f"{a:#x}.{b}.{c}.{d}",
        f"{a:#x}.{number & 0xFFFFFF:#x}",
        text.translate(FULL_WIDTH),
        text.translate(CIRCLED),
        text.translate(SUPERSCRIPT),
        text.replace(".", "。"),
        text.replace(".", "\uff61"),
        "".join(f"%{ord(character):02x}" for character in text),
        text.replace(".", "%2e"),
        f"[::ffff:{text}]",
        f"::ffff:{text}",
        f"::ffff:{mapped}",
        f"0:0:0:0:0:ffff:{mapped}",
        f"::ffff:0:{text}",
        f"::{text}",
        f"[::{mapped}]",
        f"64:ff9b::{text}",
        f"64:ff9b::{mapped}",
        f"64:ff9b:1::{mapped}",
        f"2002:{mapped}::1",
        f"[2002:{mapped}::]",
        f"2001:db8::5efe:{text}",
        f"fe80::5efe:{text}",
        f"::FFFF:{text}%eth0",
    ]


_IN_EVERY_SPELLING = ("127.0.0.1", "169.254.169.254", "10.1.2.3", "0.0.0.0")  # noqa: S104 - forbidden
FORBIDDEN_IPV4 = (
    *_IN_EVERY_SPELLING, "127.255.255.254", "172.16.5.4", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
FORBIDDEN_IPV6 = (
    "::1", "::", "fe80::1", "febf::1", "fc00::1", "fdff::1", "fec0::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1",
    "ff0e::1", "100::1", "2001::1", "2001:db8::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "3fff::1", "5f00::1",
    "64:ff9b::808:808", "2002:808:808::1", "::808:808",
)  # fmt: skip


def _few(text: str) -> list[str]:
    number = int(IPv4Address(text))
    return [text, str(number), hex(number), f"::ffff:{text}", text.translate(FULL_WIDTH), f"64:ff9b::{text}"]


def _spellings_of_ipv6(text: str) -> list[str]:
    address = IPv6Address(text)
    return [text, f"[{text}]", address.exploded, address.exploded.upper(), f"{text}%lo", f"[{text}%25lo]"]


_NAMES = (
    "localhost", "LOCALHOST", "localhost.", "LocalHost.", "localhost..", "localhost.localdomain", "localhost4",
    "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback", "a.localhost", "a.b.localhost.",
    "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "%6cocalhost", "localhost%2e", "metadata", "metadata.google.internal",  # noqa: RUF001
    "METADATA.GOOGLE.INTERNAL.", "metadata.goog", "instance-data", "instance-data.ec2.internal",
)  # fmt: skip

SPELLINGS = tuple(
    dict.fromkeys(
        [
            *(spelling for text in _IN_EVERY_SPELLING for spelling in spellings_of(text)),
            *(spelling for text in FORBIDDEN_IPV4 for spelling in _few(text)),
            *(spelling for text in FORBIDDEN_IPV6 for spelling in _spellings_of_ipv6(text)),
            *_NAMES,
        ]
    )
)

RESOLVING = {
    "127.0.0.1.nip.io": "127.0.0.1",
    "7f000001.nip.io": "127.0.0.1",
    "localtest.me": "127.0.0.1",
    "lvh.me": "127.0.0.1",
    "ip6.localtest.me": "::1",
    "mapped.example.com": "::ffff:127.0.0.1",
    "metadata.nip.io": "169.254.169.254",
    "internal.example.com": "10.1.2.3",
    "nat64.example.com": "64:ff9b::7f00:1",
}
"""Name → what a resolver says. A gateway that does not resolve takes these; a probe must not."""

URLS = (
    "http://example.com@127.0.0.1:{port}/", "http://example.com:80@127.0.0.1:{port}/", "http://@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/", "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/", "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/", "http://example.com%40127.0.0.1:{port}/",
    "http://127.0.0.1%2f@example.com:{port}/", "http:127.0.0.1:{port}/", "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}\\", "//127.0.0.1:{port}/", " http://127.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/", "http://127.0.0.1\n:{port}/", "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%0d%0a:{port}/", "HTTP://LOCALHOST:{port}/", "http://localhost%00.example.com:{port}/",
    "http://[::1]:{port}/", "http://[::1%25lo]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:1]:{port}/", "http://[127.0.0.1]:{port}/", "http://0:{port}/", "http://0x7f.1:{port}/",
    "http://127.1:{port}/", "http://0177.0.0.01:{port}/", "http://127。0。0。1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "ftp://127.0.0.1:{port}/",
    "unix:/var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "jar:http://127.0.0.1:{port}!/",
    "http://example.com:{port}:80@127.0.0.1/",
)  # fmt: skip

_GOOD_ADDRESSES = (
    "1.1.1.1", "8.8.8.8", "9.9.9.9", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.1", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "169.255.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.0.3.1",
    "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1", "198.51.99.255", "203.0.112.255", "203.0.114.1",
    "223.255.255.255", "52.94.236.248", "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe", "2a00:1450::1",
    "2400:cb00::1", "2001:200::1",
)  # fmt: skip
_GOOD_LABELS = (
    "api", "db", "db-1", "smtp", "kafka", "redis-cache", "my_service", "10", "127", "localhost", "metadata", "0x7f",
    "xn--bcher-kva", "bücher", "a1b2c3",
)  # fmt: skip
GOOD = (
    *_GOOD_ADDRESSES,
    *(f"{label}.{domain}" for label in _GOOD_LABELS for domain in ("example.com", "eu.example.org", "example.co.uk")),
    *(f"node-{number}.internal.example.net" for number in range(30)),
)
