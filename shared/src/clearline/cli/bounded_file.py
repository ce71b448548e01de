"""Reads a file that a person names, at most so much of it: also `<(command)`, and never for ever."""

import errno
import os
import select
import stat
from pathlib import Path

WRITER_MS = 2000
"""Milliseconds in which somebody has to open the other end of a named pipe."""


def read_at_most(path: Path, limit: int) -> bytes:
    """The content, one byte more than `limit` where there is more. Raises OSError, and ValueError for no such name."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # else a pipe waits for its other end here
    with os.fdopen(number, "rb") as file:
        begun = _from_its_writer(number)
        os.set_blocking(number, True)
        return begun + file.read(limit + 1 - len(begun))


def _from_its_writer(number: int) -> bytes:
    """What had to be read to learn that a pipe has a writer; one that has may take its time."""
    if not stat.S_ISFIFO(os.fstat(number).st_mode):
        return b""
    waiting = select.poll()
    waiting.register(number, select.POLLIN)
    if waiting.poll(WRITER_MS):
        return b""
    try:
        begun = os.read(number, 1)
    except BlockingIOError:
        return b""
    if not begun:
        raise OSError(errno.ENXIO, "nobody writes into this pipe")
    return begun
