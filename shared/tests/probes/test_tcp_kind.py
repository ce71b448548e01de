import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from clearline.probes.dial import OutboundLoop
from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import serving, silent


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bound and not listening: nobody else can take it meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_a_listening_port_is_verified_with_the_address_that_answered(climbing: Any) -> None:
    async with serving(silent) as server:
        verdict = await climbing("tcp", {"host": "localhost", "port": server.port})
    assert verdict.status == "verified"
    assert [step.name for step in verdict.steps] == ["resolve", "connect"]
    assert "127.0.0.1" in verdict.steps[0].evidence["addresses"]
    assert verdict.steps[1].evidence["address"] in {"127.0.0.1", "::1"}


async def test_a_closed_port_is_refused(climbing: Any, closed_port: int) -> None:
    failure = (await climbing("tcp", {"host": "127.0.0.1", "port": closed_port})).failure
    assert (failure.code, failure.step, failure.field) == ("CONNECTION_REFUSED", "connect", "/config/port")
    assert (failure.fault_owner, failure.retryable) == ("remote", True)
    assert str(closed_port) in failure.operator_detail
    assert str(closed_port) not in failure.message


async def test_an_unknown_host_is_told_at_the_host(climbing: Any) -> None:
    failure = (await climbing("tcp", {"host": "no-such-host.invalid", "port": 1})).failure
    assert (failure.code, failure.step, failure.field) == ("UNKNOWN_HOST", "resolve", "/config/host")
    assert failure.retry_class == "config"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, "UNKNOWN_HOST"),
        (socket.EAI_AGAIN, "RESOLVE_TIMEOUT"),
    ],
)
async def test_a_silent_name_server_is_not_an_unknown_host(
    climbing: Any, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def asked(*_: Any) -> None:
        raise socket.gaierror(number, "said the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    verdict = await climbing("tcp", {"host": "db.example.com", "port": 1})
    assert verdict.failure.code == code


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "NETWORK_UNREACHABLE", "/config/host"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "NETWORK_UNREACHABLE", "/config/host"),
        (ConnectionResetError(), "CONNECTION_RESET", "/config/port"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), "CONNECT_TIMEOUT", "/config/host"),
    ],
)
async def test_what_the_network_says_has_a_code_of_its_own(
    climbing: Any, monkeypatch: pytest.MonkeyPatch, error: OSError, code: str, field: str
) -> None:
    async def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(OutboundLoop, "sock_connect", failing)
    failure = (await climbing("tcp", {"host": "127.0.0.1", "port": 1})).failure
    assert (failure.code, failure.field, failure.step) == (code, field, "connect")


async def test_silence_while_connecting_ends_at_the_deadline(climbing: Any, full_port: int) -> None:
    limits = Limits(connect_seconds=0.3)
    failure = (await climbing("tcp", {"host": "127.0.0.1", "port": full_port}, limits=limits)).failure
    assert (failure.code, failure.step, failure.retryable) == ("CONNECT_TIMEOUT", "connect", True)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the next one hears nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()


async def test_the_next_address_is_tried_when_one_does_not_answer(climbing: Any, moving_name: Any) -> None:
    async with serving(silent) as server:
        moving_name(["127.0.0.3", "127.0.0.1"])
        verdict = await climbing(
            "tcp", {"host": "db.example.com", "port": server.port}, allow=("127.0.0.1", "127.0.0.3")
        )
        assert verdict.status == "verified"
        assert verdict.steps[1].evidence == {"address": "127.0.0.1", "port": server.port, "refused_before": 1}


async def test_only_the_approved_addresses_of_a_name_are_dialled(climbing: Any, moving_name: Any) -> None:
    async with serving(silent, host="127.0.0.2") as canary, serving(silent, port=canary.port) as server:
        moving_name(["127.0.0.2", "127.0.0.1"])
        verdict = await climbing("tcp", {"host": "db.example.com", "port": server.port}, allow=("127.0.0.1",))
        assert verdict.status == "verified"
        assert verdict.steps[0].evidence["refused_by_policy"] == 1
        assert "127.0.0.2" not in str(verdict)
        assert canary.connections == 0
