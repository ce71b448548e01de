"""One bounded HTTP exchange: no redirect is followed, nothing is decompressed, at most a step's budget is read."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from clearline.contracts.verification import StepName
from clearline.probes.dial import READ_BYTES
from clearline.probes.faults import network_fault
from clearline.probes.probe import Climb, StepFailed

CHUNK = 64 * 1024
MAX_WAIT = 86_400


async def exchange(climb: Climb, url: str, headers: dict[str, str]) -> None:
    """Ask once and keep status, evidence and what a redirect or a rate limit said for the rungs above."""
    begun = climb.clock.monotonic()
    async with _session(climb.kept.get("tls")) as session:
        # `encoded`: no second reading of a URL that was judged
        request = session.request(climb.config.method, URL(url, encoded=True), headers=headers, allow_redirects=False)
        async with request as response:
            first_byte = climb.clock.monotonic() - begun
            size = await _read(response, climb)
            climb.kept["evidence"] = {
                "status": response.status,
                "content_type": response.content_type,
                "server": response.headers.get("Server", ""),
                "bytes": size,
                "first_byte_ms": round(first_byte * 1000, 3),
                "total_ms": round((climb.clock.monotonic() - begun) * 1000, 3),
            }
            climb.kept["location"] = _place(response.headers.get("Location", ""))
            climb.kept["retry_after"] = _seconds(response.headers.get("Retry-After", ""))
            climb.kept["status"] = response.status


def explain_client_error(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """The exceptions of aiohttp; those of the network under it are unwrapped and told like anybody's."""
    endpoint = climb.endpoint
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return network_fault(error.certificate_error, endpoint, step)
        case aiohttp.ClientConnectorError():
            return network_fault(error.os_error, endpoint, step)
        case aiohttp.ServerTimeoutError() | ConnectionError():
            return network_fault(error, endpoint, step)
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return StepFailed("SERVER_CLOSED", field=endpoint.port_field, why=f"{type(error).__name__}: {error}")
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            why = f"{type(error).__name__}: {error}"
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


async def _read(response: aiohttp.ClientResponse, climb: Climb) -> int:
    """Size of the body, which is read to its end and thrown away; too much of it is a finding."""
    too_large = StepFailed("RESPONSE_TOO_LARGE", field=climb.endpoint.port_field, limit=READ_BYTES)
    if climb.config.method != "HEAD" and (response.content_length or 0) > READ_BYTES:
        raise too_large
    size = 0
    while chunk := await response.content.read(CHUNK):
        size += len(chunk)
        if size > READ_BYTES:
            raise too_large
        await asyncio.sleep(0)  # a fast server must not keep the loop from the deadline
    return size


def _place(location: str) -> str:
    """A redirect's target without its query, which may hold a token."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def _seconds(text: str) -> int | None:
    return min(int(text), MAX_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004
