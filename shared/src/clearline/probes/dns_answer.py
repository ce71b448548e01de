"""What a name server's answer means: the records that were asked for, or exactly one finding. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from clearline.probes.dns_form import DnsConfig
from clearline.probes.probe import StepFailed

NO_ANSWERS: Mapping[int, tuple[str, str, str]] = {
    dns.rcode.NXDOMAIN: ("DNS_NAME_MISSING", "/config/name", "NXDOMAIN"),
    dns.rcode.SERVFAIL: ("DNS_SERVER_FAILED", "/config/name", "SERVFAIL"),
    dns.rcode.REFUSED: ("DNS_REFUSED", "/config/resolver", "REFUSED"),
    dns.rcode.NOTAUTH: ("DNS_REFUSED", "/config/resolver", "NOTAUTH"),
    dns.rcode.NOTIMP: ("DNS_REFUSED", "/config/resolver", "NOTIMP"),
}
"""Response codes → code, field, and how operators know it."""

LAME = "it is neither responsible for this name nor does it ask others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What stands under the name, as in a zone file."""

    values: tuple[str, ...]
    ttl: int
    canonical_name: str
    """Where the aliases have led; the name itself if there are none."""


def records_in(message: dns.message.Message, config: DnsConfig) -> Records:
    """The records of the asked type. Raises StepFailed where there are none."""
    if (no_answer := NO_ANSWERS.get(message.rcode())) is not None:
        code, field, why = no_answer
        raise _finding(code, field, config, why=_with_reasons(why, message))
    if message.rcode() != dns.rcode.NOERROR or not isinstance(message, dns.message.QueryMessage):
        why = dns.rcode.to_text(message.rcode())
        raise StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="DNS", why=f"it answered {why}")
    try:
        chain = message.resolve_chaining()
    except dns.message.ChainTooLong:
        raise _finding(
            "DNS_ALIAS_LOOP", "/config/name", config, why="its aliases lead nowhere or in a circle"
        ) from None
    canonical = chain.canonical_name.to_text(omit_final_dot=True)
    if chain.answer is None:
        raise _no_records(message, config, canonical if chain.cnames else None)
    values = tuple(sorted(record.to_text() for record in chain.answer))
    return Records(values=values, ttl=chain.minimum_ttl, canonical_name=canonical)


def _no_records(message: dns.message.Message, config: DnsConfig, alias_of: str | None) -> StepFailed:
    if not alias_of and not message.flags & (dns.flags.AA | dns.flags.RA):
        return _finding("DNS_REFUSED", "/config/resolver", config, why=_with_reasons(LAME, message))
    why = f"it is an alias of {alias_of}, which has none here" if alias_of else "the name exists without such a record"
    return _finding("DNS_RECORD_MISSING", "/config/record_type", config, why=_with_reasons(why, message))


def check_expected(values: tuple[str, ...], config: DnsConfig) -> None:
    """Hold the records to what the config expects; compared as records, so that spelling does not matter."""
    if not config.expected:
        return
    found = {meant(value, config.record_type) for value in values}
    expected = [_expected(index, text, config) for index, text in enumerate(config.expected)]
    absent = [index for index, one in enumerate(expected) if one not in found]
    match config.match:
        case "any" if len(absent) == len(expected):
            raise _unexpected("/config/expected", values, config)
        case "all" | "exact" if absent:
            raise _unexpected(f"/config/expected/{absent[0]}", values, config)
        case "exact" if found - set(expected):
            raise _unexpected("/config/expected", values, config)
        case _:
            return


def meant(text: str, record_type: str) -> object:
    """A value as it compares: texts joined, names without case and final dot. ValueError for what is no such record."""
    try:
        return _record(text, record_type)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__})") from None


def _record(text: str, record_type: str) -> object:
    if record_type == "TXT" and not text.startswith('"'):
        return text.encode()
    kind = dns.rdatatype.from_text(record_type)
    record = dns.rdata.from_text(dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False)
    return b"".join(getattr(record, "strings")) if record_type == "TXT" else record  # noqa: B009 - TXT has it


def _expected(index: int, text: str, config: DnsConfig) -> object:
    try:
        return meant(text, config.record_type)
    except ValueError as error:
        field = f"/config/expected/{index}"
        raise _finding("DNS_EXPECTED_UNREADABLE", field, config, why=str(error)) from None


def _unexpected(field: str, values: tuple[str, ...], config: DnsConfig) -> StepFailed:
    index = field.rpartition("/")[2]
    expected = config.expected[int(index)] if index.isdigit() else ", ".join(config.expected)
    return StepFailed(
        "DNS_RECORD_UNEXPECTED",
        field=field,
        domain_name=config.name,
        record_type=config.record_type,
        records=", ".join(values),
        expected=expected,
    )


def _finding(code: str, field: str, config: DnsConfig, *, why: str) -> StepFailed:
    return StepFailed(code, field=field, domain_name=config.name, record_type=config.record_type, why=why)


def _with_reasons(why: str, message: dns.message.Message) -> str:
    """With what the server adds of itself (extended errors, RFC 8914): `DNSSEC bogus` and the like."""
    told = [option.to_text() for option in message.options if isinstance(option, dns.edns.EDEOption)]
    return "; ".join([why, *told[:4]])
