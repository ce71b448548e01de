"""What the long runs found, kept for people: `python -m tests.faults.summary` puts it into the document."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

WHERE = "CLEARLINE_FAULTS_SUMMARY"
"""Path of the file that collects what the tests found; unset, nothing is kept."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "quality" / "delivery.md"
BEGIN, END = "<!-- figures: written by `make faults` -->\n", "<!-- end of figures -->\n"

Found = Mapping[str, object]
"""What was counted or measured, in the order in which it is to be read."""


def record(title: str, found: Found) -> None:
    """Keep it under its title where the environment says, if it does; an earlier run's is replaced."""
    if (where := os.environ.get(WHERE)) is None:
        return
    path = Path(where)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**kept, title: found}, indent=1) + "\n", encoding="utf-8")


def tables(kept: Mapping[str, Found]) -> str:
    """For people, in Markdown: a table for each title."""
    return "\n".join(f"### {title}\n\n{_table(found)}" for title, found in sorted(kept.items()))


def _table(found: Found) -> str:
    rows = [f"| {what} | {_said(value)} |" for what, value in found.items()]
    return "\n".join(["| what | found |", "|---|---|", *rows]) + "\n"


def _said(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> int:
    """Put what was found last into the document; the exit code."""
    path = Path(os.environ.get(WHERE, ".clearline/faults/summary.json"))
    if not path.is_file():
        sys.stderr.write(f"{path} is not there: run `make faults` first.\n")
        return 1
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    kept = json.loads(path.read_text(encoding="utf-8"))
    DOCUMENT.write_text(f"{before}{BEGIN}{tables(kept)}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
