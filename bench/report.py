"""Figures as a table for people and as JSON for machines; `python -m bench.report` puts the table into the document."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measuring import Figure, Pair

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".clearline" / "bench"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by `python -m bench.report` -->\n", "<!-- end of figures -->\n"


def table(figures: Iterable[Figure]) -> str:
    """Markdown: one line per figure, in the order of their numbers."""
    lines = ["| # | what | against | goal | worst pair | all pairs | met |", "|---|---|---|---|---|---|---|"]
    lines += [
        _line(figure) for figure in sorted(figures, key=lambda figure: (figure.number[0], int(figure.number[1:])))
    ]
    return "\n".join(lines) + "\n"


def _line(figure: Figure) -> str:
    sign = "≥" if figure.sense == "at least" else "≤"
    pairs = " ".join(f"{pair.ratio:.2f}" for pair in figure.pairs)
    what = figure.what + (f"; {figure.note}" if figure.note else "")
    goal = f"{sign} {figure.goal:g}"
    return f"| {figure.number} | {what} | {figure.floor} | {goal} | {figure.worst:.2f} | {pairs} | {_met(figure)} |"


def _met(figure: Figure) -> str:
    return "yes" if figure.met else "**no**"


def write(name: str, figures: Sequence[Figure]) -> Path:
    """The figures of one benchmark, with every pair and what it cost in CPU seconds."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def machine() -> str:
    """Where it was measured: enough to judge the figures, nothing that names the place."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def read(path: Path) -> tuple[str, list[Figure]]:
    """The machine, and the figures of one file that `write` made."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    figures = [
        Figure(**{**each, "pairs": tuple(Pair(**pair) for pair in each["pairs"])}) for each in content["figures"]
    ]
    return content["machine"], figures


def main() -> int:
    """Put what the last runs measured into the document; the exit code."""
    found = [read(path) for path in sorted(RESULTS.glob("*.json"))]
    if not found:
        sys.stderr.write("Nothing was measured yet: run `make bench` first.\n")
        return 1
    machines = sorted({place for place, _ in found})
    figures = [figure for _, some in found for figure in some]
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}Measured on {'; '.join(machines)}.\n\n{table(figures)}{END}{after}"
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
