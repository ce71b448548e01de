"""One bounded HTTP exchange: no redirect is followed, nothing is decompressed, at most a step's budget is read."""

import asyncio
import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from clearline.contracts.verification import StepName
from clearline.probes.dial import READ_BYTES
from clearline.probes.faults import network_fault
from clearline.probes.http_findings import TLS_ALARM
from clearline.probes.probe import Climb, StepFailed

CHUNK = 64 * 1024
MAX_WAIT = 86_400
_ALARM = r"b'\x15\x03"
"""How a TLS alarm (RFC 8446, section 5.1) begins, as the client library shows what it could not read."""
_CUT_OFF = {errno.ECONNRESET, errno.EPIPE}
SAID = 1024
"""Bytes of an answer in which a server may say what it holds against us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, whole, and what it cost."""

    status: int
    body: bytes
    evidence: Mapping[str, object]
    location: str
    """Where a redirect points to, without its query."""
    retry_after: int | None
    """Seconds that a rate limit asks to wait."""


async def exchange(climb: Climb, url: str, headers: dict[str, str]) -> None:
    """Ask once and keep status, evidence and what a redirect or a rate limit said for the rungs above."""
    answer = await fetch(climb, climb.config.method, url, headers)
    climb.kept |= {
        "evidence": answer.evidence,
        "location": answer.location,
        "retry_after": answer.retry_after,
        "status": answer.status,
        "said": answer.body[:SAID],
    }


async def fetch(climb: Climb, method: str, url: str, headers: dict[str, str], data: bytes | None = None) -> Answer:
    """Ask once, over the TLS that the climb has kept. What the network or the client raises is for `explain`."""
    begun = climb.clock.monotonic()
    async with _session(climb.kept.get("tls")) as session:
        # `encoded`: no second reading of a URL that was judged
        request = session.request(method, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False)
        async with request as response:
            first_byte = climb.clock.monotonic() - begun
            body = await _read(response, climb, method)
            return Answer(
                status=response.status,
                body=body,
                evidence={
                    "status": response.status,
                    "content_type": response.content_type,
                    "server": response.headers.get("Server", ""),
                    "bytes": len(body),
                    "first_byte_ms": round(first_byte * 1000, 3),
                    "total_ms": round((climb.clock.monotonic() - begun) * 1000, 3),
                },
                location=_place(response.headers.get("Location", "")),
                retry_after=_seconds(response.headers.get("Retry-After", "")),
            )


def explain_client_error(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """The exceptions of aiohttp; those of the network under it are unwrapped and told like anybody's."""
    endpoint, ours = climb.endpoint, "client_key" in climb.credentials.given()
    if type(error) is aiohttp.ClientOSError and error.errno in _CUT_OFF:
        error = ConnectionResetError(error.errno, "")
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return network_fault(error.certificate_error, endpoint, step)
        case aiohttp.ClientConnectorError():
            return network_fault(error.os_error, endpoint, step, with_certificate=ours)
        case aiohttp.ServerTimeoutError() | ConnectionError():
            return network_fault(error, endpoint, step, with_certificate=ours)
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return StepFailed("SERVER_CLOSED", field=endpoint.port_field, why=type(error).__name__)
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            why = TLS_ALARM if _ALARM in str(error) else type(error).__name__  # its text shows what was sent
            return StepFailed("PROTOCOL_MISMATCH", field=endpoint.port_field, expected="HTTP", why=why)
        case _:
            return None


def _session(context: Any) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=context if context is not None else True,
        resolver=aiohttp.ThreadedResolver(),  # the loop's own look-ups; aiodns would dial past it
        use_dns_cache=False,
        force_close=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the ladder's deadline is the only one
        headers={"User-Agent": "clearline", "Accept": "*/*", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    )


async def _read(response: aiohttp.ClientResponse, climb: Climb, method: str) -> bytes:
    """The body, read to its end; too much of it is a finding."""
    too_large = StepFailed("RESPONSE_TOO_LARGE", field=climb.endpoint.port_field, limit=READ_BYTES)
    if method != "HEAD" and (response.content_length or 0) > READ_BYTES:
        raise too_large
    body = bytearray()
    while chunk := await response.content.read(CHUNK):
        body += chunk
        if len(body) > READ_BYTES:
            raise too_large
        await asyncio.sleep(0)  # a fast server must not keep the loop from the deadline
    return bytes(body)


def _place(location: str) -> str:
    """A redirect's target without its query, which may hold a token."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def _seconds(text: str) -> int | None:
    return min(int(text), MAX_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004
