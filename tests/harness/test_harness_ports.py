"""Ports that the harness gives out: free, all different, never those of another worker or of an outgoing connection."""

import socket

import pytest
from tests.harness.places import free_ports


def test_workers_draw_from_rows_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        drawn[worker] = {port % 8 for _ in range(5) for port in free_ports(20)}
    assert not drawn["gw0"] & drawn["gw1"]


def test_all_are_different_free_and_never_lent_by_the_system() -> None:
    given = free_ports(100)
    assert len(set(given)) == 100
    assert all(port < 32_000 for port in given)
    with socket.create_server(("127.0.0.1", given[0])) as server:
        assert server.getsockname()[1] not in free_ports(200)
