"""What `-f` names, where the system itself refuses."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clearline.cli.declared.sources import sources
from clearline.cli.ends import WrongUseError
from clearline.cli.surroundings import of_this_process


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_folder: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)  # root, who runs tests here and there, may read everything
    with pytest.raises(WrongUseError, match="The folder connections cannot be read: Permission denied"):
        sources(["connections"], replace(of_this_process(), folder=made(tmp_path / "connections").parent))


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
