"""No library's own words are told: they may hold a secret in a shape that no redactor knows."""

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

import aiohttp
import asyncpg
import dns.exception
import pytest
from shared.tests.probes.kind_samples import SAMPLES, SECRET

from clearline.chassis.clock import SystemClock
from clearline.contracts.verification import Failure
from clearline.probes import faults
from clearline.probes.dial import Dial
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.pem import signing_key
from clearline.probes.probe import Climb
from clearline.probes.redact import Redactor
from clearline.probes.registry import KINDS
from clearline.probes.verdict import failure_of

ALTERED = SECRET[::-1]
CLIMBING = [name for name, kind in KINDS.items() if kind.steps != ("resolve", "connect")]


def with_reason(error: Any, **told: object) -> BaseException:
    for name, value in told.items():
        setattr(error, name, value)
    return error  # type: ignore[no-any-return]  # whatever was given


RAISED: dict[str, Callable[[], BaseException]] = {
    "defect": lambda: RuntimeError(ALTERED),
    "value": lambda: ValueError(f"invalid literal for int(): {ALTERED}"),
    "socket with number": lambda: OSError(errno.ENOTCONN, ALTERED),
    "socket without number": lambda: OSError(ALTERED),
    "reset": lambda: ConnectionResetError(errno.ECONNRESET, ALTERED),
    "cut by a library": lambda: ConnectionError(ALTERED),
    "unreachable": lambda: OSError(errno.EHOSTUNREACH, f"Connect call failed {ALTERED}"),
    "end": lambda: EOFError(ALTERED),
    "half": lambda: asyncio.IncompleteReadError(ALTERED.encode(), 99),
    "name": lambda: socket.gaierror(socket.EAI_NONAME, ALTERED),
    "name later": lambda: socket.gaierror(socket.EAI_AGAIN, ALTERED),
    "name unknown": lambda: socket.gaierror(-99, ALTERED),
    "encoding": lambda: UnicodeError(ALTERED),
    "bytes": lambda: UnicodeDecodeError("utf-8", ALTERED.encode(), 0, 1, ALTERED),
    "time": lambda: TimeoutError(ALTERED),
    "tls": lambda: with_reason(ssl.SSLError(1, ALTERED), reason=None),
    "tls reason": lambda: with_reason(ssl.SSLError(1, ALTERED), reason=ALTERED),
    "tls end": lambda: with_reason(ssl.SSLEOFError(8, ALTERED), reason=None),
    "certificate": lambda: with_reason(
        ssl.SSLCertVerificationError(1, ALTERED), verify_code=62, verify_message=f"Hostname mismatch, {ALTERED}"
    ),
    "certificate in another way": lambda: with_reason(
        ssl.SSLCertVerificationError(1, ALTERED), verify_code=99, verify_message=ALTERED
    ),
    "asyncpg's interface": lambda: asyncpg.InterfaceError(ALTERED),
    "asyncpg's inside": lambda: asyncpg.InternalClientError(ALTERED),
    "asyncpg's hint": lambda: with_reason(asyncpg.InvalidPasswordError("no"), sqlstate="28P01", hint=ALTERED),
    "pieces": lambda: struct.error(ALTERED),
    "aiohttp's payload": lambda: aiohttp.ClientPayloadError(ALTERED),
    "aiohttp's line": lambda: aiohttp.ServerDisconnectedError(ALTERED),
    "aiohttp's URL": lambda: aiohttp.InvalidURL(ALTERED),
    "dnspython": lambda: dns.exception.FormError(ALTERED),  # type: ignore[no-untyped-call]  # it has no types
}


def told(name: str, raised: Callable[[], BaseException]) -> Failure:
    """What a climb says of an exception that its kind's library raised."""
    kind, (raw, credentials) = KINDS[name], SAMPLES[name][-1]("db.example.com", 1234)
    config = parse_config(kind, raw)
    given = parse_credentials(kind, credentials, config=config)
    climb = Climb(config=config, credentials=given, endpoint=kind.endpoint(config), clock=SystemClock())
    dial = Dial(OutboundPolicy.parse(()), 1024, 1.0)
    try:
        raise raised()  # noqa: TRY301 - an exception has a place only once it was raised
    except BaseException as error:  # noqa: BLE001 - as the ascent takes them
        finding = faults.explain(kind.explain(error, climb, kind.steps[-1]) or error, climb, kind.steps[-1], dial)
    assert ALTERED not in str(finding.evidence)
    return failure_of(finding, kind.steps[-1], known={}, redactor=Redactor(given.given().values()))


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("name", CLIMBING)
def test_an_exception_is_told_by_its_type_alone(name: str, raised: str) -> None:
    failure = told(name, RAISED[raised])
    assert ALTERED not in str(failure), failure
    assert failure.operator_detail


def test_a_defect_of_ours_is_told_with_its_place() -> None:
    def mistaken() -> BaseException:
        return ValueError(signing_key(None))  # type: ignore[arg-type]  # our own mistake

    failure = told("redis", mistaken)
    assert failure.code == "VERIFIER_FAILED"
    detail = failure.operator_detail or ""
    assert detail.endswith("AttributeError. Raised in clearline.probes.pem.signing_key."), detail


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("reset", "ConnectionResetError: Connection reset by peer"),
        ("name", "there is no such name"),
        ("certificate", "the certificate is for other names"),
        ("half", "in the middle of an answer"),
        ("asyncpg's inside", "InternalClientError"),
    ],
)
def test_what_closed_lists_say_of_it_is_told(raised: str, said: str) -> None:
    assert said in (told("postgres", RAISED[raised]).operator_detail or "")
