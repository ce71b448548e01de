"""`clearline check`: the ladder in this process, for many at a time, with no gateway asked."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

from clearline import probes
from clearline.cli import checking
from clearline.cli.checking import policy_of
from clearline.cli.ends import WrongUseError
from clearline.probes.outbound import Approved
from clearline.probes.registry import KINDS

# A run in the background of a script inherits that Ctrl-C is ignored; a terminal's does not.
HEEDING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
COMMAND = [sys.executable, "-c", HEEDING + "from clearline.cli.main import main; main()"]
HTTP = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@pytest.fixture(scope="module")
def listening() -> Iterator[int]:
    """A port that accepts, and answers who speaks HTTP."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1000):
            writer.write(HTTP)
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await asyncio.to_thread(over.wait)

    port: list[int] = []
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(30)
    yield port[0]
    over.set()
    thread.join(30)


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that nobody else gets and that refuses."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def tcp(name: str, port: int, host: str = "127.0.0.1") -> str:
    return f"  - {{name: {name}, environment: development, kind: tcp, config: {{host: {host}, port: {port}}}}}\n"


def write(folder: Path, *items: str) -> None:
    (folder / "c.yaml").write_text("connections:\n" + "".join(items))


def test_all_verified_ends_with_0_and_asks_no_gateway(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path, listening: int
) -> None:
    url = f"http://127.0.0.1:{listening}/"
    http = f"  - {{name: web, environment: staging, kind: http, config: {{url: '{url}'}}}}\n"
    write(tmp_path, tcp("a", listening), http)
    result = clearline("check", "-f", "c.yaml", env={"CLEARLINE_URL": "", "CLEARLINE_TOKEN": None})
    assert result.code == 0, result.out + result.err
    assert [line.split()[:3] for line in result.out.splitlines()[1:3]] == [
        ["development/a", "tcp", "verified"],
        ["staging/web", "http", "verified"],
    ]
    assert gateway.requests == []


def test_one_failed_ends_with_1_and_says_which_field_and_line(
    clearline: Clearline, tmp_path: Path, listening: int, closed: int
) -> None:
    write(tmp_path, tcp("good", listening), tcp("bad", closed))
    result = clearline("check", "-f", "c.yaml")
    assert result.code == 1
    assert "development/bad (c.yaml:3)" in result.out
    assert "CONNECTION_REFUSED" in result.out
    assert "1 of 2 connections not verified" in result.out


def test_json_is_the_verification_object_in_the_order_of_the_file(
    clearline: Clearline, tmp_path: Path, listening: int, closed: int
) -> None:
    write(tmp_path, tcp("b", closed), tcp("a", listening))
    result = clearline("check", "-f", "c.yaml", "-o", "json")
    assert result.code == 1
    first, second = result.json
    assert {"name", "environment", "kind", "status", "steps", "failure"} <= first.keys()
    assert (first["name"], first["status"], first["failure"]["code"]) == ("b", "failed", "CONNECTION_REFUSED")
    assert first["failure"]["field"] == "/config/port"
    assert [(step["name"], step["status"]) for step in first["steps"]] == [("resolve", "passed"), ("connect", "failed")]
    assert (second["name"], second["status"], second["failure"]) == ("a", "verified", None)


def test_only_those_that_are_named_are_checked(
    clearline: Clearline, tmp_path: Path, listening: int, closed: int
) -> None:
    write(tmp_path, tcp("good", listening), tcp("bad", closed))
    assert clearline("check", "-f", "c.yaml", "--only", "good").code == 0
    result = clearline("check", "-f", "c.yaml", "--only", "goood")
    assert (result.code, "development/good" in result.err) == (2, True)


def test_a_report_for_ci_is_written(clearline: Clearline, tmp_path: Path, listening: int, closed: int) -> None:
    write(tmp_path, tcp("good", listening), tcp("bad", closed))
    clearline("check", "-f", "c.yaml", "--junit", "report.xml")
    suite = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - written a moment ago by us
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [(case.get("name"), case.get("line")) for case in suite] == [("good", "2"), ("bad", "3")]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("type") == "CONNECTION_REFUSED"


def test_faults_of_the_file_end_with_2_before_anything_is_dialled(
    clearline: Clearline, tmp_path: Path, closed: int
) -> None:
    write(tmp_path, tcp("a", closed), tcp("b", 99999))
    result = clearline("check", "-f", "c.yaml", "-o", "json")
    assert result.code == 2
    [fault] = json.loads(result.err)["errors"]
    assert fault == {
        "pointer": "/config/port",
        "code": "PORT_OUT_OF_RANGE",
        "detail": "Must be a port from 1 to 65535.",
        "connection": "development/b",
        "file": "c.yaml",
        "line": 3,
    }


def test_a_missing_variable_is_told_with_item_field_and_name_and_nothing_is_dialled(
    clearline: Clearline, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(
        "name: w\nenvironment: staging\nkind: postgres\nconfig: {host: 127.0.0.1, database: d, user: u}\n"
        "credentials: {password: '${env:NOT_THERE}'}\n"
    )
    result = clearline("check", "-f", "c.yaml")
    assert result.code == 2
    assert "c.yaml:5 staging/w /credentials/password (REFERENCE_UNAVAILABLE)" in result.err
    assert "NOT_THERE is not set" in result.err


def test_a_secret_in_the_file_works_is_warned_of_and_never_shown(
    clearline: Clearline, tmp_path: Path, closed: int
) -> None:
    (tmp_path / "c.yaml").write_text(
        "name: w\nenvironment: staging\nkind: postgres\n"
        f"config: {{host: 127.0.0.1, port: {closed}, database: d, user: u}}\n"
        "credentials: {password: hunter2-hunter2}\n"
    )
    result = clearline("check", "-f", "c.yaml")
    assert result.code == 1
    assert "c.yaml:5 staging/w: the secret password stands in the file" in result.err
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(
    ("address", "allow", "environ", "approved"),
    [
        ("127.0.0.1", (), {}, True),
        ("10.1.2.3", (), {}, True),
        ("169.254.169.254", (), {}, False),
        ("100.100.100.200", (), {}, False),
        ("10.1.2.3", (), {"CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8"}, False),
        ("10.1.2.3", (), {"CLEARLINE_OUTBOUND_ALLOW": ""}, False),
        ("10.1.2.3", ("10.0.0.0/8",), {"CLEARLINE_OUTBOUND_ALLOW": ""}, True),
        ("127.0.0.1", ("10.0.0.0/8",), {}, False),
        ("169.254.169.254", ("169.254.169.254/32",), {}, True),
    ],
)
def test_own_networks_may_be_dialled_unless_others_are_named_and_metadata_never_by_default(
    address: str,
    allow: tuple[str, ...],
    environ: dict[str, str],
    approved: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert isinstance(policy_of(allow, environ).judge(ip_address(address)), Approved) is approved


def test_an_installation_without_what_dials_says_what_to_install(
    clearline: Clearline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(checking, "import_module", lacking)
    write(tmp_path, "  - {name: web, environment: staging, kind: http, config: {url: 'http://127.0.0.1:1/'}}\n")
    result = clearline("check", "-f", "c.yaml")
    assert result.code == 2
    assert "clearline[cli,probes]" in result.err


def test_a_wrong_network_is_wrong_use() -> None:
    with pytest.raises(WrongUseError):
        policy_of(("10.0.0.0/99",), {})


def test_ten_connections_are_checked_at_a_time(clearline: Clearline, tmp_path: Path) -> None:
    """Ten silent servers with a second each: one after the other they would take ten."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        items = [
            f"  - {{name: n{n}, environment: development, kind: http, config: {{url: 'http://127.0.0.1:{port}/'}}}}\n"
            for n in range(10)
        ]
        write(tmp_path, *items)
        begun = time.monotonic()
        result = clearline("check", "-f", "c.yaml", "--timeout", "1", "-o", "json")
        took = time.monotonic() - begun
    assert result.code == 1
    assert {one["failure"]["code"] for one in result.json} <= {"RESPONSE_TIMEOUT", "VERIFICATION_TIMEOUT"}
    assert took < 8


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_imports_late_is_imported_before_anything_is_timed(kind: str) -> None:
    """Its own file says what it imports within functions; `cryptography` is there with TLS at the latest."""
    source = (Path(probes.__file__).parent / f"{kind}.py").read_text()
    late = set(re.findall(r"^ +(?:from|import) ([a-z_.]+)", source, re.MULTILINE))
    wanted = {one for one in late if not one.startswith("cryptography")}
    assert wanted <= imported_with(KINDS[kind].libraries)


def imported_with(libraries: tuple[str, ...]) -> set[str]:
    if not libraries:
        return set()
    code = f"import sys\nfrom importlib import import_module\n[*map(import_module, {libraries!r})]\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return set(done.stdout.split())


def test_ctrl_c_ends_it_at_once_and_tells_what_had_ended(tmp_path: Path, closed: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        item = "  - {name: %s, environment: development, kind: http, config: {url: 'http://127.0.0.1:%d/'}}\n"
        write(tmp_path, item % ("a", closed), item % ("b", silent.getsockname()[1]), item % ("c", closed))
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "check", "-f", str(tmp_path / "c.yaml"), "--parallel", "1", "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        silent.settimeout(60)
        accepted, _ = silent.accept()  # the ladder is under way
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        accepted.close()
    assert process.returncode == 130
    assert [one["status"] for one in json.loads(out)] == ["failed", "cancelled", "cancelled"]
    assert err.strip() == b"Interrupted."
