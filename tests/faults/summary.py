"""What a run of the fault ledger found, kept for people: `python -m tests.faults.summary` puts it into the document."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

WHERE = "CLEARLINE_FAULTS_SUMMARY"
"""Path of the file that a run writes; unset, it writes none."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "quality" / "delivery.md"
BEGIN, END = "<!-- figures: written by `make faults` -->\n", "<!-- end of figures -->\n"
_KINDS = ("lost", "doubled", "out of order", "unfinished")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run."""

    seed: int
    commands: int
    """Acknowledged."""
    connections: int
    disturbances: Mapping[str, int]
    faults: Sequence[str]
    seconds: int
    seen_after_seconds: float
    """From the last command and the last healing until every effect could be seen."""


def record(summary: Summary) -> None:
    """Keep it where the environment says, if it does."""
    if path := os.environ.get(WHERE):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")


def table(summary: Summary) -> str:
    """For people, in Markdown."""
    counted = {kind: sum(fault.startswith(kind) for fault in summary.faults) for kind in _KINDS}
    lines = ["| what | count |", "|---|---|"]
    lines += [f"| commands acknowledged | {summary.commands:,} |", f"| connections | {summary.connections:,} |"]
    lines += [f"| {name} | {count} |" for name, count in sorted(summary.disturbances.items())]
    lines += [f"| **{kind}** | **{count}** |" for kind, count in counted.items()]
    lines += [f"| seconds from the last healing until all was seen | {summary.seen_after_seconds:g} |"]
    lines += [f"| seconds in all (seed {summary.seed}) | {summary.seconds} |"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Put the last long run into the document; the exit code."""
    path = Path(os.environ.get(WHERE, ".clearline/faults/summary.json"))
    if not path.is_file():
        sys.stderr.write(f"{path} is not there: run `make faults` first.\n")
        return 1
    summary = Summary(**json.loads(path.read_text(encoding="utf-8")))
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}{table(summary)}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
