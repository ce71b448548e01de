"""docs/errors is what the catalogue says, and the check notices when it is not."""

from pathlib import Path

import pytest

from clearline.catalogue import load
from clearline.catalogue.render import COMMAND, render
from clearline.generated import run

ROOT = Path(__file__).parents[3]
PAGE = "docs/errors/README.md"
FILES = {PAGE: render(load())}


def check(root: Path) -> int:
    return run(COMMAND, FILES, ["docs/errors/*"], ["--check", "--root", str(root)])


def test_docs_are_current() -> None:
    assert check(ROOT) == 0


def test_an_old_a_missing_and_a_stale_file_fail_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 1
    assert run(COMMAND, FILES, ["docs/errors/*"], ["--root", str(tmp_path)]) == 0
    assert check(tmp_path) == 0

    (tmp_path / PAGE).write_text(FILES[PAGE].replace("AUTH_REJECTED", "AUTH_REFUSED"))
    assert check(tmp_path) == 1
    assert PAGE in capsys.readouterr().err

    assert run(COMMAND, FILES, [], ["--root", str(tmp_path)]) == 0
    (tmp_path / "docs/errors/OLD.md").write_text("gone")
    assert check(tmp_path) == 1
    assert run(COMMAND, FILES, ["docs/errors/*"], ["--root", str(tmp_path)]) == 0
    assert not (tmp_path / "docs/errors/OLD.md").exists()
