"""Ports follow one base; a taken one is told with its number and the setting that moves the stack."""

import os
import re
import socket
from pathlib import Path

import pytest
from deploy.local import port_search, ports
from deploy.local.places import Places
from deploy.local.ports import PortError, Ports
from deploy.local.processes import Stack, services
from tests.harness.places import ROOT, free_ports


def test_the_setting_wins_then_the_last_start_then_8080(tmp_path: Path) -> None:
    remembered = tmp_path / "port-base"
    assert ports.chosen_base({}, remembered) == 8080
    remembered.write_text("9100")
    assert ports.chosen_base({}, remembered) == 9100
    assert ports.chosen_base({"CLEARLINE_PORT_BASE": ""}, remembered) == 9100
    assert ports.chosen_base({"CLEARLINE_PORT_BASE": "9200"}, remembered) == 9200


@pytest.mark.parametrize("text", ["80", "65530", "eighty", "-1", "8080.0"])
def test_what_is_no_base_is_refused_by_the_name_of_the_setting(tmp_path: Path, text: str) -> None:
    with pytest.raises(PortError, match="CLEARLINE_PORT_BASE"):
        ports.chosen_base({"CLEARLINE_PORT_BASE": text}, tmp_path / "none")


def test_a_damaged_memory_of_the_last_start_is_named(tmp_path: Path) -> None:
    remembered = tmp_path / "port-base"
    remembered.write_text("hi\n")
    with pytest.raises(PortError, match=r"port-base holds 'hi'(.|\n)*make up CLEARLINE_PORT_BASE="):
        ports.chosen_base({}, remembered)
    assert ports.chosen_base({"CLEARLINE_PORT_BASE": "9200"}, remembered) == 9200


def test_no_port_is_given_twice_and_all_follow_the_base(tmp_path: Path) -> None:
    given = [port for each in services(Stack(Places(tmp_path), Ports(9000), {})) for port in each.ports]
    assert len(given) == len(set(given))
    assert all(9000 <= port < 9000 + port_search.SPAN for port in given)
    assert min(given) == 9000


def test_a_taken_port_names_itself_the_process_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError) as refused:
            ports.check_free([("gateway", port)], port)
    said = str(refused.value)
    assert f"port {port} (for gateway) is taken" in said
    assert "CLEARLINE_PORT_BASE=" in said
    assert f"pid {os.getpid()}" in said


def test_a_listener_on_every_address_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - what is tested
        assert port_search.is_taken(taken.getsockname()[1])


def test_the_remains_of_closed_connections_do_not_take_a_port() -> None:
    """Without SO_REUSEADDR a server that has just been stopped would look taken for a minute."""
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server closes first: TIME_WAIT stays with its port
        assert client.recv(1) == b""
        client.close()
    with socket.socket() as strict, pytest.raises(OSError, match="in use"):
        strict.bind(("127.0.0.1", port))
    assert not port_search.is_taken(port)


def test_a_suggested_base_is_free_and_not_lent_to_outgoing_connections() -> None:
    lent = range(8200, 60_000)
    assert port_search.free_base(30_000, range(0)) >= 30_100
    suggested = port_search.free_base(30_000, range(20_000, 61_000))
    assert 8080 < suggested < 20_000
    assert port_search.may_be_lent(8190, lent)
    assert not port_search.may_be_lent(8180, lent)


def test_the_lent_ports_are_read_where_the_system_says_them(tmp_path: Path) -> None:
    said = tmp_path / "range"
    said.write_text("32768\t60999\n")
    assert port_search.lent(said) == range(32768, 61000)
    assert not port_search.lent(tmp_path / "none")


def test_the_walk_in_the_readme_works_on_any_base() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    assert not re.search(r"\b80[89]\d\b", "".join(blocks))
