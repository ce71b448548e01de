"""Where the address and token come from: the environment, else the nearest `.clearline/env`, which must be ours."""

import os
from pathlib import Path

import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, problem

from clearline.cli.ends import WrongUseError
from clearline.cli.target import find_target, parse

ME = os.getuid()


def _write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".clearline" / "env"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)
    return path


FILE = "export CLEARLINE_URL=\"http://127.0.0.1:8080/\"\nCLEARLINE_TOKEN='clt_file'  # admin\n\n# nothing\n"


def test_the_file_is_found_upwards(tmp_path: Path) -> None:
    _write(tmp_path, FILE)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    target = find_target({}, below, ME)
    assert (target.url, target.token, target.warnings) == ("http://127.0.0.1:8080", "clt_file", ())


def test_a_file_without_a_token_leads_back_to_make_up(clearline: Clearline, tmp_path: Path) -> None:
    _write(tmp_path, "CLEARLINE_URL=http://127.0.0.1:8080\n")
    told = clearline("connections", "list", env={"CLEARLINE_URL": "", "CLEARLINE_TOKEN": None})
    assert told.code == 2
    assert "Run `make up`" in told.err
    assert "Run `make up`" not in clearline("connections", "list", env={"CLEARLINE_TOKEN": None}).err


@pytest.mark.parametrize(
    "case",
    [
        ("NOT_AUTHENTICATED", "clt_wrong", "The token comes from the variable CLEARLINE_TOKEN"),
        ("NOT_AUTHENTICATED", None, ".clearline/env: if it is not of this Clearline, run `make up` again."),
        ("TOKEN_EXPIRED", "clt_old", "The token comes from the variable CLEARLINE_TOKEN"),
    ],
)
def test_a_token_that_is_refused_is_told_with_where_it_comes_from(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path, case: tuple[str, str | None, str]
) -> None:
    code, token, told = case
    _write(tmp_path, FILE)
    gateway.answers["GET", "/api/v1/connections"] = lambda _request: problem(401, code, "You are not signed in.")
    result = clearline("connections", "list", env={"CLEARLINE_URL": None, "CLEARLINE_TOKEN": token})
    assert result.code == 2
    assert told in " ".join(result.err.split())
    assert ("Do this." in result.err) == (code != "NOT_AUTHENTICATED"), "the header, which nobody writes here"
    assert "Then that." in result.err


def test_the_environment_wins(tmp_path: Path) -> None:
    _write(tmp_path, FILE)
    target = find_target({"CLEARLINE_URL": "https://c.example", "CLEARLINE_TOKEN": "clt_env"}, tmp_path, ME)
    assert (target.url, target.token) == ("https://c.example", "clt_env")
    assert find_target({"CLEARLINE_TOKEN": "clt_env"}, tmp_path, ME).token == "clt_env"


def test_an_empty_token_is_not_replaced_by_that_of_the_file(clearline: Clearline, tmp_path: Path) -> None:
    _write(tmp_path, FILE)
    told = clearline("connections", "list", env={"CLEARLINE_TOKEN": ""})
    assert (told.code, "CLEARLINE_TOKEN is set but empty" in told.err) == (2, True)


def test_a_token_of_the_file_goes_to_no_other_address(tmp_path: Path) -> None:
    _write(tmp_path, FILE)
    assert find_target({"CLEARLINE_URL": "https://elsewhere.example"}, tmp_path, ME).token is None
    assert find_target({"CLEARLINE_URL": "http://127.0.0.1:8080"}, tmp_path, ME).token == "clt_file"


def test_a_token_of_the_environment_goes_to_no_address_that_somebody_else_wrote(tmp_path: Path) -> None:
    _write(tmp_path, FILE)
    with pytest.raises(WrongUseError, match="belongs to another user"):
        find_target({"CLEARLINE_TOKEN": "clt_env"}, tmp_path, ME + 1)


def test_a_file_of_somebody_else_or_open_to_others_is_warned_of(tmp_path: Path) -> None:
    path = _write(tmp_path, FILE, mode=0o640)
    foreign = find_target({}, tmp_path, ME + 1)
    assert len(foreign.warnings) == 2
    assert "another user" in foreign.warnings[0]
    assert f"chmod 600 {path}" in foreign.warnings[1]


def test_the_warning_is_printed_beside_the_result(clearline: Clearline, tmp_path: Path) -> None:
    _write(tmp_path, FILE, mode=0o644)
    result = clearline("connections", "list", env={"CLEARLINE_URL": "", "CLEARLINE_TOKEN": "x"})
    assert "Warning:" in result.err
    assert "Warning" not in result.out


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8080", "http://user:clt_pw@x", "http://", "http://x?q=1"])
def test_an_address_that_is_none_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(WrongUseError) as refusal:
        find_target({"CLEARLINE_URL": url, "CLEARLINE_TOKEN": "t"}, tmp_path, ME)
    assert "clt_pw" not in str(refusal.value)


@pytest.mark.parametrize("token", ["clt_a b", "clt_a\n", "clt_ä"])
def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(tmp_path: Path, token: str) -> None:
    with pytest.raises(WrongUseError) as refusal:
        find_target({"CLEARLINE_URL": "http://x", "CLEARLINE_TOKEN": token}, tmp_path, ME)
    assert "clt_a" not in str(refusal.value)


@pytest.mark.parametrize("text", ["rm -rf x\n", "A='unclosed\n", "A-B=1\n"])
def test_a_line_that_assigns_nothing_is_told_by_its_number(text: str) -> None:
    with pytest.raises(WrongUseError, match="Line 2"):
        parse("A=1\n" + text, Path("env"))


def test_nothing_in_the_file_is_run_or_expanded() -> None:
    assert parse("A=$(id)\nB=$HOME\n", Path("env")) == {"A": "$(id)", "B": "$HOME"}


def test_nothing_to_talk_to_is_told_with_what_to_do(clearline: Clearline) -> None:
    result = clearline("connections", "list", env={"CLEARLINE_URL": "", "CLEARLINE_TOKEN": None})
    assert result.code == 2
    assert "make up" in result.err


def test_no_token_is_told_before_a_request(clearline: Clearline, gateway: FakeGateway) -> None:
    result = clearline("connections", "list", env={"CLEARLINE_TOKEN": None})
    assert (result.code, gateway.requests) == (2, [])
    assert "CLEARLINE_TOKEN" in result.err
