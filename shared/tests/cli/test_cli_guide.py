"""The prose says what is so: each printed command parses, each command is in the guide, each link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from clearline.cli.app import app

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "command-line.md"
PROSE = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/guides/*.md"), *ROOT.glob("docs/decisions/*.md")})
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MAKE = re.compile(r"(?:^ *|[;&] *)make ([a-z][a-z-]*)", re.MULTILINE)
_TARGET = re.compile(r"^([a-z][a-z-]*%?):", re.MULTILINE)
NAMES = ("clearline", ".venv/bin/clearline")
_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


def printed_commands(text: str) -> Iterator[list[str]]:
    """The words of every `clearline …` in the shell blocks, from any place in a pipe."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if "clearline " in line else []
            while (start := next((place for place, word in enumerate(words) if word in NAMES), None)) is not None:
                words = words[start + 1 :]
                ends = [place for place, word in enumerate(words) if word in ("|", "&&", ">")]
                yield words[: ends[0]] if ends else words


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by its path."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
    else:
        for name, one in inner.items():
            yield from leaves(one, (*path, name))


def parse(words: list[str]) -> None:
    """Parse as the real thing does, without running it."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize(
    "path",
    [one for one in PROSE if any(printed_commands(one.read_text()))],
    ids=lambda one: one.name,
)
def test_every_printed_command_parses(path: Path) -> None:
    for words in printed_commands(path.read_text()):
        parse(list(words))


def test_commands_are_found_where_people_read_them() -> None:
    found = {one.name for one in PROSE if any(printed_commands(one.read_text()))}
    assert {"README.md", GUIDE.name, "config-as-code.md", "access.md", "dead-letters.md", "sealing-keys.md"} <= found


@pytest.mark.parametrize("path", PROSE, ids=lambda one: one.name)
def test_every_make_target_that_is_named_is_there(path: Path) -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text())) | {"bench-"}
    text = path.read_text()
    shell = "".join(_BLOCK.findall(text))
    named = {*_MAKE.findall(shell), *re.findall(r"`make ([a-z][a-z-]*)", text)}
    assert named <= targets, named - targets


@pytest.mark.parametrize("words", [["verify"], ["verify", "a", "--wiat"], ["nonsense"], ["tokens", "create"]])
def test_what_does_not_exist_does_not_parse(words: list[str]) -> None:
    with pytest.raises((typer.TyperException, KeyError)):
        parse(words)


def test_the_guide_shows_every_command() -> None:
    shown = [tuple(words) for words in printed_commands(GUIDE.read_text())]
    missing = [one for one in leaves(typer.main.get_command(app)) if not any(s[: len(one)] == one for s in shown)]
    assert missing == []


@pytest.mark.parametrize("path", PROSE, ids=lambda one: one.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(path.read_text()):
        if "://" not in link:
            assert (path.parent / link).exists(), link


def test_the_index_lists_every_decision() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    assert [one.name for one in sorted(folder.glob("0*.md")) if f"({one.name})" not in index] == []
