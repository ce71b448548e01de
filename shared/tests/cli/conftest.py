"""Runs commands against a gateway in memory: virtual time, no network, no files but the test's own."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from shared.tests.cli.declared_file import FILE, SECRET, Apply
from shared.tests.cli.fake_gateway import NOW, TOKEN, URL, Clearline, FakeGateway, Result, Stream

from clearline.cli.main import run
from clearline.cli.surroundings import Surroundings, of_this_process


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def clearline(gateway: FakeGateway, tmp_path: Path) -> Clearline:
    """`clearline("verify", "x")` runs the command; `answers` are what the person types at prompts."""

    def call(
        *arguments: str,
        stdin: str = "",
        tty: bool = False,
        answers: tuple[str, ...] = (),
        env: Mapping[str, str | None] | None = None,
    ) -> Result:
        out, err, elapsed = Stream(tty=tty), Stream(tty=tty), [0.0]
        typed = iter(answers)
        environ = {"CLEARLINE_URL": URL, "CLEARLINE_TOKEN": TOKEN, "TERM": "xterm"} | dict(env or {})
        surroundings = Surroundings(
            environ={name: value for name, value in environ.items() if value is not None},
            folder=tmp_path,
            uid=tmp_path.stat().st_uid,
            stdin=Stream(stdin, tty=tty),
            stdout=out,
            stderr=err,
            now=lambda: NOW + timedelta(seconds=elapsed[0]),
            monotonic=lambda: elapsed[0],
            sleep=lambda seconds: elapsed.__setitem__(0, elapsed[0] + seconds),
            new_id=lambda: "0123456789abcdef",
            ask_secret=lambda _prompt: next(typed),
            ask=lambda _prompt: next(typed),
            transport=httpx2.MockTransport(gateway.handle),
        )
        code = run(arguments, surroundings)
        result = Result(code, out.getvalue(), err.getvalue())
        assert TOKEN not in result.out + result.err, "no command shows the token"
        assert "Traceback" not in result.err
        return result

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def apply(clearline: Clearline, file: Path) -> Apply:
    """The command's exit code and its results."""

    def call(*options: str, env: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
        result = clearline("apply", "-f", file.name, "-o", "json", *options, env=SECRET if env is None else env)
        assert "hunter2" not in result.out + result.err
        assert result.out, result.err
        return result.code, result.json

    return call


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """A process in an empty folder, with two variables."""
    return replace(of_this_process(), environ={"PORT": "77", "WORD": "from-env"}, folder=tmp_path, now=lambda: NOW)
