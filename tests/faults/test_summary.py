"""What the long runs found, as people read it."""

import json
from pathlib import Path

import pytest
from tests.faults import summary


def test_what_each_run_found_has_a_table_and_the_last_run_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, document = tmp_path / "found" / "summary.json", tmp_path / "delivery.md"
    monkeypatch.setenv(summary.WHERE, str(kept))
    monkeypatch.setattr(summary, "DOCUMENT", document)
    document.write_text(f"Before\n{summary.BEGIN}Not run yet.\n{summary.END}After\n")
    summary.record("The ledger", {"commands": 1, "**lost**": 7})
    summary.record("A freeze", {"ratio": 1.07})
    summary.record("The ledger", {"commands": 20_000, "**lost**": 0})
    assert summary.main() == 0
    assert document.read_text() == (
        f"Before\n{summary.BEGIN}"
        "### A freeze\n\n| what | found |\n|---|---|\n| ratio | 1.07 |\n\n"
        "### The ledger\n\n| what | found |\n|---|---|\n| commands | 20,000 |\n| **lost** | 0 |\n"
        f"{summary.END}After\n"
    )


def test_nothing_is_kept_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(summary.WHERE, raising=False)
    monkeypatch.chdir(tmp_path)
    summary.record("The ledger", {"commands": 1})
    assert list(tmp_path.iterdir()) == []
    assert summary.main() == 1


def test_what_is_kept_is_plain_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(summary.WHERE, str(tmp_path / "summary.json"))
    summary.record("The ledger", {"commands": 1})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"The ledger": {"commands": 1}}
