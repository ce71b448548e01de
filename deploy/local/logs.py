"""Logs of the local stack: read from the end, kept from growing without end, followed."""

import shutil
from pathlib import Path

LARGEST = 16 * 1024 * 1024  # bytes; then the log is copied to NAME.log.1 and begun anew
_TAIL_BYTES = 64 * 1024


def size(path: Path) -> int:
    """Bytes; 0 where there is no log yet."""
    return path.stat().st_size if path.exists() else 0


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """The last non-empty lines from byte `since` on, without reading a long log whole."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0 if since > end else since, end - _TAIL_BYTES))  # a log begun anew is shorter
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]


def rotate(folder: Path, largest: int = LARGEST) -> None:
    """Copy and truncate: the writers keep their files open and append, so that no process must be told."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > largest:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            with path.open("r+b") as file:
                file.truncate(0)
