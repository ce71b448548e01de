"""The form of kind `dns`: which question is asked of which name server, and what the answer must hold."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from clearline.probes.addresses import MAX_HOST, canonical_host, is_host
from clearline.probes.fields import Host, Line, Port, has_control_characters, refuse
from clearline.probes.probe import Credentials, Endpoint, Form, Skipped

RecordType = Literal["A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TLSA", "TXT"]
ADDRESS_TYPES = {"A": IPv4Address, "AAAA": IPv6Address}
DNS_PORT = 53

_LABEL = re.compile(r"[A-Za-z0-9_/-]{1,63}")
"""Wider than a host's: services have an underscore (RFC 2782), delegated parts of a reverse zone a slash (RFC 2317)."""


def question_name(name: str) -> str:
    """The name that is asked for: without a trailing dot, in ASCII, and an address as its name in the reverse zone."""
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        plain = name.rstrip(".")
        return plain if plain.isascii() else plain.encode("idna").decode()


def _name(text: str) -> str:
    try:
        asked = question_name(text)
    except UnicodeError:
        asked = ""
    if has_control_characters(text) or len(asked) > MAX_HOST or not all(map(_LABEL.fullmatch, asked.split("."))):
        raise refuse(
            "FIELD_FORMAT", "Is no name of the domain name system, such as example.com or _sip._tcp.example.com."
        )
    return text


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


class DnsConfig(Form):
    """The question, whom it is asked, and what the answer must hold."""

    name: Annotated[
        str,
        Field(
            title="Name",
            description="Name that is looked up; for PTR also an address.",
            max_length=MAX_HOST + 1,
            examples=["example.com"],
        ),
        AfterValidator(_name),
    ]
    record_type: Annotated[
        RecordType,
        Field(title="Record type", description="Kind of record that is asked for.", validate_default=True),
    ] = "A"
    resolver: Annotated[
        Host | None,
        Field(
            title="Name server",
            description="Name server that is asked. Without one the operating system of Clearline looks the name up as"
            " for every other connection, which it can for A and AAAA only. A private address has to be allowed by an"
            " operator.",
            validate_default=True,
            examples=["9.9.9.9"],
        ),
    ] = None
    port: Annotated[Port, Field(description="Port of the name server.")] = DNS_PORT
    transport: Annotated[
        Literal["udp", "tcp"],
        Field(title="Transport", description="udp: and tcp where the answer does not fit. tcp: at once."),
    ] = "udp"
    expected: Annotated[
        tuple[Annotated[Line, Field(max_length=2_048)], ...],
        Field(
            title="Expected records",
            description="Values that the answer must hold, as in a zone file. Empty: any record will do.",
            max_length=20,
            examples=[["10 mail.example.com"]],
        ),
    ] = ()
    match: Annotated[
        Literal["all", "any", "exact"],
        Field(title="Match", description="all: each expected record is there. any: one of them. exact: and no other."),
    ] = "all"

    @field_validator("record_type", mode="after")
    @classmethod
    def _names_of_an_address(cls, record_type: str, info: ValidationInfo) -> str:
        if record_type != "PTR" and _is_address(info.data.get("name", "")):
            raise refuse("FIELD_FORMAT", "An address has names only: choose PTR, or enter a name.")
        return record_type

    @field_validator("resolver", mode="after")
    @classmethod
    def _whom_to_ask(cls, resolver: str | None, info: ValidationInfo) -> str | None:
        if resolver is None and info.data.get("record_type", "A") not in ADDRESS_TYPES:
            raise refuse("FIELD_REQUIRED", "Is needed for this type: the operating system looks up A and AAAA only.")
        if resolver is None and not is_host(info.data.get("name", "a")):
            raise refuse(
                "FIELD_REQUIRED", "Is needed for this name: the operating system looks up names of hosts only."
            )
        return resolver

    @field_validator("expected", mode="after")
    @classmethod
    def _are_addresses(cls, expected: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (address := ADDRESS_TYPES.get(info.data.get("record_type", ""))) is None:
            return expected
        try:
            return tuple(str(address(text)) for text in expected)
        except ValueError:
            raise refuse("FIELD_FORMAT", "Holds a value that is no address of the record type.") from None


class DnsCredentials(Credentials):
    """None: questions are not signed (no TSIG)."""


def endpoint(config: DnsConfig) -> Endpoint:
    """The name server; without one the name itself, which the operating system looks up."""
    if config.resolver is None:
        host = canonical_host(config.name)
        return Endpoint(host=host, port=DNS_PORT, host_field="/config/name", port_field="/config/name")
    return Endpoint(host=canonical_host(config.resolver), port=config.port, host_field="/config/resolver")


def destination(config: DnsConfig) -> str:
    """The name server."""
    return "dns://system" if config.resolver is None else f"dns://{canonical_host(config.resolver)}:{config.port}"


def spared(config: DnsConfig, step: str) -> Skipped | None:
    """No way to a name server is climbed where none is named, and no connection where UDP needs none."""
    if config.resolver is None:
        return Skipped("the operating system's own resolver is asked")
    if step == "connect" and config.transport == "udp":
        return Skipped("UDP has no connection: the question is the first word")
    return None
