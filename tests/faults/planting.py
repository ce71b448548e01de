"""Copies of the tree with one bug planted in each, and the tests that must turn red there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("shared/src", "services", "deploy", "tests/harness", "conftest.py", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("*.egg-info", ".*")  # compiled files stay: ten copies need not compile alike
_CAUGHT_BY = "Caught by: "


class PatchDoesNotApply(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """The code has moved on: plant the bug anew, so that its test goes on being tested."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of one file that become other lines."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Bug:
    """One patch: what it breaks and which tests see it."""

    name: str
    caught_by: tuple[str, ...]
    hunks: tuple[Hunk, ...]

    def check(self, tree: Path) -> None:
        """Raise `PatchDoesNotApply` unless every hunk has exactly one place."""
        for hunk in self.hunks:
            path = tree / hunk.file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if text.count(hunk.before) != 1:
                raise PatchDoesNotApply(f"{self.name}.patch no longer applies to {hunk.file}: plant the bug anew")

    def plant(self, tree: Path) -> None:
        """Put the bug into a copy of the tree. Raises `PatchDoesNotApply`."""
        self.check(tree)
        for hunk in self.hunks:
            path = tree / hunk.file
            path.write_text(path.read_text(encoding="utf-8").replace(hunk.before, hunk.after), encoding="utf-8")


def read_bug(path: Path) -> Bug:
    """A unified diff behind a few lines of prose. Line numbers are not looked at: the context says where."""
    text = path.read_text(encoding="utf-8")
    caught_by = [line.removeprefix(_CAUGHT_BY) for line in text.splitlines() if line.startswith(_CAUGHT_BY)]
    return Bug(path.stem, tuple(caught_by), tuple(_hunks(text)))


def _hunks(text: str) -> Iterator[Hunk]:
    file, before, after = "", "", ""
    for line in [*text.splitlines(keepends=True), "@@"]:
        if line.startswith(("@@", "--- ", "+++ ")):
            if before != after:
                yield Hunk(file, before, after)
            before = after = ""
            file = line.removeprefix("+++ b/").strip() if line.startswith("+++ ") else file
        elif file and line[0] in " -+":
            before += line[1:] if line[0] != "+" else ""
            after += line[1:] if line[0] != "-" else ""


def sources(tree: Path) -> list[str]:
    """Folders of a tree that hold packages."""
    return [str(tree / "shared/src"), *map(str, sorted(tree.glob("services/*/src")))]


def copy_tree(target: Path) -> Path:
    """What the tests of the gateway need, and nothing that a run leaves behind."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=_LEFT_OUT)
        else:
            shutil.copy(source, target / name)
    return target
