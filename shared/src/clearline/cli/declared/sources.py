"""The files that `-f` names: files, folders (their .yaml, .yml and .json, not deeper), and `-` for standard input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clearline.cli.bounded_file import read_at_most
from clearline.cli.declared.references import folder_of
from clearline.cli.declared.tree import MAX_BYTES
from clearline.cli.ends import WrongUseError
from clearline.cli.surroundings import Surroundings

STDIN = "-"
MAX_FILES = 500
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class Source:
    """One file's content, and the folder from which its `${file:…}` are meant."""

    name: str
    """As people are told it."""
    folder: Path
    content: bytes = field(repr=False)


def sources(given: Sequence[str], surroundings: Surroundings) -> list[Source]:
    """Every file once, in the order in which they were given, those of a folder by name."""
    if given.count(STDIN) > 1:
        raise WrongUseError("Standard input can be read once; `-f -` was given twice.")
    named: dict[Path, str] = {}
    found: list[Source] = []
    for text in given:
        if text == STDIN:
            found.append(Source("standard input", surroundings.folder, _stdin(surroundings)))
            continue
        for path, name in _paths(text, surroundings.folder):
            if named.setdefault(path.resolve(), name) is name:
                found.append(Source(name, folder_of(path, surroundings.folder), _content(path, name)))
    return found


def _paths(text: str, folder: Path) -> Iterator[tuple[Path, str]]:
    path = folder / text
    if not path.is_dir():
        yield path, text
        return
    try:
        inside = [one for one in sorted(path.iterdir()) if one.suffix in _SUFFIXES and one.is_file()]
    except OSError as error:
        raise WrongUseError(f"The folder {text} cannot be read: {error.strerror}.") from None
    chosen = [one for one in inside if not one.name.startswith(".") and not one.name.endswith(".schema.json")]
    if not chosen:
        raise WrongUseError(
            f"The folder {text} holds no .yaml, .yml or .json file.", "Folders in it are not looked into."
        )
    if len(chosen) > MAX_FILES:
        raise WrongUseError(f"The folder {text} holds more than {MAX_FILES} files.", "Name the files that are meant.")
    for one in chosen:
        yield one, str(Path(text) / one.name)


def _content(path: Path, name: str) -> bytes:
    try:
        return read_at_most(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else "no such name is possible"
        raise WrongUseError(f"{name} cannot be read: {told}.") from None


def _stdin(surroundings: Surroundings) -> bytes:
    return surroundings.stdin.read(MAX_BYTES + 1).encode("utf-8", errors="surrogateescape")
