"""What a command is given by the process that runs it, so that tests can give it something else."""

import getpass
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast
from uuid import uuid4

from clearline.cli.ends import WrongUseError

if TYPE_CHECKING:  # its import costs 0.1 s, which `--help` need not pay
    import httpx2


class OutputForm(StrEnum):
    """What stdout carries."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Environment, folder, streams, time, ids and the way to the network."""

    environ: Mapping[str, str]
    folder: Path
    uid: int
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    ask_secret: Callable[[str], str]
    """Asks on the terminal without echo."""
    ask: Callable[[str], str]
    transport: "httpx2.BaseTransport | None" = None
    """None: the network."""

    @property
    def interactive(self) -> bool:
        """Whether a person sits there to be asked."""
        return self.stdin.isatty() and self.stderr.isatty()


def of_this_process() -> Surroundings:
    """The real ones."""
    return Surroundings(
        environ=os.environ,
        folder=Path.cwd(),
        uid=os.getuid(),
        stdin=sys.stdin or _nowhere("r"),
        stdout=sys.stdout or _nowhere("w"),
        stderr=sys.stderr or _nowhere("w"),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        sleep=time.sleep,
        new_id=lambda: uuid4().hex,
        ask_secret=_ask_secret,
        ask=_ask,
    )


def _nowhere(mode: str) -> TextIO:
    """Stands for a stream that the caller has closed; lives as long as the process."""
    return cast("TextIO", open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123 - open for the whole run


def _ask_secret(prompt: str) -> str:
    """Asks without echo, or not at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # its fallback would show what is typed
        try:
            return getpass.getpass(prompt, stream=sys.stderr)
        except getpass.GetPassWarning:
            raise WrongUseError(
                "This terminal cannot hide what is typed, so no secret is asked for on it.",
                "Give it by standard input, ${env:NAME} or ${file:PATH}.",
            ) from None


def _ask(prompt: str) -> str:
    """Asks on stderr, for stdout may be a file."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline()


def silence(stream: TextIO) -> None:
    """The reader has gone: what is still buffered must not fail again when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
