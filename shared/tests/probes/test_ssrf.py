"""No probe of any kind reaches a forbidden address, however it is written, resolved or pointed to.

Canaries listen on 127.0.0.1 and ::1 for connections and datagrams; in the same run each proves that it would count.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import cycle
from typing import Any

import pytest
from shared.tests.probes.kind_samples import SAMPLES, SECRET
from tests.harness.forbidden_targets import FORBIDDEN_IPV4, FORBIDDEN_IPV6, GOOD, RESOLVING, SPELLINGS, URLS

from clearline.catalogue import ClearlineError
from clearline.probes.forms import check_addresses, parse_config
from clearline.probes.ladder import Limits
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS
from clearline.testing.hostile_servers import Listening, answering, closing, http_answer, serving

pytestmark = pytest.mark.integration
QUICK = Limits(step_seconds=2, connect_seconds=2, resolve_seconds=2, total_seconds=5)
HASTY = Limits(step_seconds=0.05, connect_seconds=2, resolve_seconds=2, total_seconds=5)
"""For a name server by UDP: the one here hears datagrams and says nothing."""
ALLOWED = "127.0.0.9"
URL_KINDS = {"http", "supabase"}
REFUSALS = {"ADDRESS_FORBIDDEN", "UNKNOWN_HOST"}
"""A spelling that the operating system cannot read either is a name that nobody has."""


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that a socket was to be connected to, also where no canary can listen; none beyond this machine."""
    seen: list[str] = []
    connect = asyncio.SelectorEventLoop.sock_connect

    async def noting(loop: Any, sock: socket.socket, address: Any) -> None:
        seen.append(str(address[0]))
        if not ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError
        await connect(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", noting)
    return seen


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Name → its answers in turn, the last for ever. Numbers are read by the operating system itself; no network."""
    answers = {name: [[address]] for name, address in RESOLVING.items()}
    real = socket.getaddrinfo

    def asked(host: Any, port: Any, family: int = 0, *more: Any) -> list[Any]:
        if (left := answers.get(str(host))) is not None:
            found = left.pop(0) if len(left) > 1 else left[0]
            return [one for text in found for one in real(text, port, 0, socket.SOCK_STREAM)]
        if str(host).startswith("localhost"):
            return real("127.0.0.1", port, 0, socket.SOCK_STREAM)
        kind, protocol, flags = (*more, 0, 0, 0)[:3]
        return real(host, port, family, kind, protocol, flags | socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    return answers


@asynccontextmanager
async def canaries() -> AsyncIterator[list[Listening]]:
    """On both loopback addresses, at one port."""
    async with serving(closing) as four, serving(closing, host="::1", port=four.port) as six:
        yield [four, six]


def forms(kind: str, host: str, port: int) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Every sample of the kind with this host, an IPv6 address in brackets where it stands in a URL."""
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") and kind in URL_KINDS else host
    for sample in SAMPLES[kind]:
        yield sample(bracketed, port)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_spelling_of_a_forbidden_address_is_dialled(kind: str, climbing: Any, dialled: list[str]) -> None:
    reached, fields = 0, set()
    async with canaries() as (four, six):
        for host in (*SPELLINGS, *RESOLVING):
            for raw, credentials in forms(kind, host, four.port):
                try:
                    verdict = await climbing(kind, raw, credentials, allow=(), limits=QUICK)
                except ClearlineError as refused:
                    fields.add(refused.errors[0].pointer)
                    continue
                assert verdict.failure.code in REFUSALS, (host, verdict.failure)
                assert SECRET not in str(verdict)
                reached += 1
        assert (four.connections, six.connections, dialled) == (0, 0, [])
        assert reached > len(SPELLINGS) / 2, "the ladder itself was hardly asked"
        assert fields <= {"/config/host", "/config/url", "/config/token_url", "/config/resolver"}
        for open_host in ("127.0.0.1", "::1"):
            for raw, credentials in forms(kind, open_host, four.port):
                await climbing(kind, raw, credentials, limits=QUICK)
        assert four.connections > 0
        assert six.connections > 0


@pytest.mark.parametrize("kind", sorted(URL_KINDS))
async def test_no_trick_in_a_url_leads_there(kind: str, climbing: Any, dialled: list[str]) -> None:
    fields = set()
    async with canaries() as (four, six):
        for text in URLS:
            for raw, credentials in forms(kind, "placeholder.example", four.port):
                tricked = raw | {name: text.format(port=four.port) for name in raw if name.endswith("url")}
                tricked.pop("client_certificate", None)  # beside http:// it would be refused before the URL is used
                given = {name: secret for name, secret in credentials.items() if name != "client_key"}
                try:
                    verdict = await climbing(kind, tricked, given, allow=(), limits=QUICK)
                except ClearlineError as refused:
                    fields.add(refused.errors[0].pointer)
                    continue
                assert verdict.failure.code in REFUSALS, (text, verdict.failure)
        assert (four.connections, six.connections, dialled) == (0, 0, [])
        assert fields <= {"/config/url", "/config/token_url"}
        await climbing("http", {"url": f"http://127.0.0.1:{four.port}/"}, limits=QUICK)
        assert four.connections > 0


REDIRECTED: dict[str, Callable[[str], tuple[dict[str, Any], dict[str, str]]]] = {
    "http": lambda url: ({"url": url}, {}),
    "http with a token": lambda url: ({"url": url, "auth": "bearer"}, {"token": SECRET}),
    "http's token server": lambda url: (
        {"url": url, "auth": "oauth2", "token_url": url, "client_id": "c"},
        {"client_secret": SECRET},
    ),
    "supabase": lambda url: ({"url": url, "keys": "anon"}, {"anon_key": f"sb_publishable_{SECRET}"}),
}


@pytest.mark.parametrize("way", REDIRECTED)
async def test_no_redirect_leads_there(way: str, climbing: Any, dialled: list[str]) -> None:
    statuses = cycle(("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"))
    location = ""

    async def pointing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        await answering(http_answer(next(statuses), location))(reader, writer, state)

    async with canaries() as (four, six), serving(pointing, host=ALLOWED) as server:
        raw, credentials = REDIRECTED[way](f"http://{ALLOWED}:{server.port}")
        tricks = [text.format(port=four.port) for text in URLS if not set(text) & set("\t\n")]
        for target in (*(f"http://{host}:{four.port}/" for host in SPELLINGS), *tricks):
            location = f"Location: {target}".encode().decode("latin-1")
            verdict = await climbing(way.partition(" ")[0].removesuffix("'s"), raw, credentials, allow=(ALLOWED,))
            assert verdict.status == "failed", target
        assert (four.connections, six.connections) == (0, 0)
        assert set(dialled) == {ALLOWED}
        assert server.connections >= len(SPELLINGS)
        await climbing("tcp", {"host": "127.0.0.1", "port": four.port})
        assert four.connections == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_no_name_that_changes_its_address_leads_there(
    kind: str, climbing: Any, dialled: list[str], resolver: dict[str, list[list[str]]]
) -> None:
    name = "db.example.com"
    async with canaries() as (four, six), serving(closing, host=ALLOWED, port=four.port) as server:
        for forbidden in (*FORBIDDEN_IPV4, *FORBIDDEN_IPV6):
            for answers in (
                [[ALLOWED], [forbidden]],
                [[ALLOWED], [forbidden], [ALLOWED], [forbidden]],
                [[forbidden, ALLOWED], [forbidden]],
            ):
                for raw, credentials in forms(kind, name, four.port):
                    resolver[name] = list(answers)
                    await climbing(kind, raw, credentials, allow=(ALLOWED,), limits=HASTY)
        assert (four.connections, six.connections) == (0, 0)
        assert set(dialled) == {ALLOWED}
        assert server.connections > 0
        await climbing("tcp", {"host": "127.0.0.1", "port": four.port})
        assert four.connections == 1


async def test_good_targets_are_dialled(
    climbing: Any, monkeypatch: pytest.MonkeyPatch, resolver: dict[str, list[list[str]]]
) -> None:
    asked: list[str] = []

    async def refused(_loop: Any, _sock: Any, address: Any) -> None:
        asked.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", refused)
    for host in GOOD:
        config = parse_config(KINDS["tcp"], {"host": host, "port": 443})
        resolver[KINDS["tcp"].endpoint(config).host] = [[host if host in GOOD[:30] else "8.8.4.4"]]
        verdict = await climbing("tcp", config.as_json(), allow=())
        assert verdict.failure.code == "CONNECTION_REFUSED", (host, verdict.failure)
    assert len(asked) == len(GOOD) >= 100


@pytest.mark.parametrize("kind", KINDS)
def test_no_form_takes_a_forbidden_address(kind: str) -> None:
    """What the gateway's routes for creating, editing and testing do; names are judged when they are dialled."""
    for host in SPELLINGS:
        for raw, _ in forms(kind, host, 443):
            with pytest.raises(ClearlineError) as refused:
                check_addresses(KINDS[kind], parse_config(KINDS[kind], raw), OutboundPolicy())
            assert refused.value.errors[0].pointer.startswith("/config/"), host


@pytest.mark.parametrize("kind", KINDS)
def test_no_form_refuses_a_good_target(kind: str) -> None:
    for host in GOOD:
        for raw, _ in forms(kind, host, 443):
            check_addresses(KINDS[kind], parse_config(KINDS[kind], raw), OutboundPolicy())
