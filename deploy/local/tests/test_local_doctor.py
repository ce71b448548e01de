"""The doctor says what is missing and what to do, for each thing that it looks at."""

import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from deploy.local import doctor, port_search, unprivileged
from deploy.local.doctor import Verdict
from tests.e2e.local_checkout import free_base


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_missing_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    found = doctor.disk()
    assert found.verdict is Verdict.MISSING
    assert "2 GB are needed" in found.mend
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    assert doctor.disk().verdict is Verdict.FINE


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_available_memory", lambda: 10**8)
    assert doctor.memory().verdict is Verdict.WARNING
    monkeypatch.setattr(doctor, "_available_memory", lambda: None)
    assert doctor.memory().verdict is Verdict.UNKNOWN


def test_a_taken_port_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    port = free_base()  # not one that the system lends: others of its span may go to any test's connection
    monkeypatch.setenv("CLEARLINE_PORT_BASE", str(port))
    with socket.create_server(("127.0.0.1", port)):
        found = doctor.free_ports()
    assert found.verdict is Verdict.MISSING
    assert str(port) in found.what
    assert "CLEARLINE_PORT_BASE" in found.mend
    monkeypatch.setattr(port_search, "lent", lambda: range(0))
    assert doctor.free_ports().verdict is Verdict.FINE


def test_ports_that_the_system_lends_are_a_warning_with_the_base_that_up_suggests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setenv("CLEARLINE_PORT_BASE", "33112")
    monkeypatch.setattr(port_search, "is_taken", lambda _: False)
    monkeypatch.setattr(port_search, "lent", lambda: range(32768, 61000))
    found = doctor.free_ports()
    assert found.verdict is Verdict.WARNING
    assert "32768 to 60999" in found.what
    assert f"CLEARLINE_PORT_BASE={port_search.free_base(33112, port_search.lent())}" in found.mend
    monkeypatch.setattr(port_search, "is_taken", lambda port: port == 33112)
    assert "CLEARLINE_PORT_BASE=8180" in doctor.free_ports().mend


def test_a_base_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARLINE_PORT_BASE", "eighty")
    assert doctor.free_ports().verdict is Verdict.MISSING


def test_a_damaged_memory_of_the_last_base_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLEARLINE_PORT_BASE", raising=False)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    kept = tmp_path / ".clearline" / "run" / "port-base"
    kept.parent.mkdir(parents=True)
    kept.write_text("hi\n")
    found = doctor.free_ports()
    assert (found.verdict, found.what) == (Verdict.MISSING, f"{kept} holds 'hi'")


def test_a_folder_that_postgres_cannot_enter_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unprivileged, "launcher", lambda: ["launcher", "namespace"])
    monkeypatch.setattr(unprivileged, "can_use", lambda *_: False)
    found = doctor.unprivileged_postgres()
    assert found.verdict is Verdict.MISSING
    assert "move the checkout" in found.mend


@pytest.fixture
def time_server() -> Iterator[socket.socket]:
    """Answers one SNTP question with a time two minutes ahead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            _question, address = server.recvfrom(48)
            seconds = int(time.time()) + doctor.NTP_EPOCH + 120
            server.sendto(bytes(40) + struct.pack("!II", seconds, 0), address)

        threading.Thread(target=answer, daemon=True).start()
        yield server


@pytest.mark.integration
def test_a_clock_that_is_behind_is_a_warning(time_server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NTP_PORT", time_server.getsockname()[1])
    monkeypatch.setenv("CLEARLINE_TIME_SERVER", "127.0.0.1")
    found = doctor.clock()
    assert found.verdict is Verdict.WARNING
    assert "-1" in found.what  # minus 119 or 120 seconds


def test_a_network_without_time_server_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_skew", lambda _: None)
    assert doctor.clock().verdict is Verdict.UNKNOWN
