"""What a run of the faults found, kept for people: `python -m tests.faults.summary` puts it into the document."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

WHERE = "CLEARLINE_FAULTS_SUMMARY"
"""Path of the file that a run of the ledger writes, and the recovery's lies beside; unset, none is written."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "quality" / "delivery.md"
BEGIN, END = "<!-- figures: written by `make faults` -->\n", "<!-- end of figures -->\n"
_KINDS = ("lost", "doubled", "out of order", "unfinished")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run of the ledger."""

    seed: int
    commands: int
    """Acknowledged."""
    connections: int
    disturbances: Mapping[str, int]
    faults: Sequence[str]
    seconds: int
    seen_after_seconds: float
    """From the last command and the last healing until every effect could be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One freeze of the database (`test_frozen_recovery.py` says what ideal is)."""

    frozen_seconds: int
    facts: int
    """That came meanwhile."""
    seconds: float
    noticed_seconds: float
    """Of these, from the thaw to the first effect."""
    ideal_seconds: float


def record(found: Summary | Recovery) -> None:
    """Keep it where the environment says, if it does."""
    if (where := os.environ.get(WHERE)) is None:
        return
    path = Path(where) if isinstance(found, Summary) else _beside(Path(where))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}-recovery{path.suffix}")


def table(summary: Summary, recovery: Recovery | None = None) -> str:
    """For people, in Markdown."""
    counted = {kind: sum(fault.startswith(kind) for fault in summary.faults) for kind in _KINDS}
    lines = ["| what | count |", "|---|---|"]
    lines += [f"| commands acknowledged | {summary.commands:,} |", f"| connections | {summary.connections:,} |"]
    lines += [f"| {name} | {count} |" for name, count in sorted(summary.disturbances.items())]
    lines += [f"| **{kind}** | **{count}** |" for kind, count in counted.items()]
    lines += [f"| seconds from the last healing until all was seen | {summary.seen_after_seconds:g} |"]
    lines += [f"| seconds in all (seed {summary.seed}) | {summary.seconds} |"]
    if recovery is not None:
        frozen, ratio = recovery.frozen_seconds, recovery.seconds / recovery.ideal_seconds
        lines += [f"| facts that came while the database was frozen for {frozen} s | {recovery.facts:,} |"]
        lines += [f"| seconds from its thaw until the first was seen | {recovery.noticed_seconds:g} |"]
        lines += [f"| seconds from its thaw until all were seen | {recovery.seconds:g} |"]
        lines += [f"| ÷ seconds for as many without a freeze ({recovery.ideal_seconds:g}) | {ratio:.2f} |"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Put the last long run into the document; the exit code."""
    path = Path(os.environ.get(WHERE, ".clearline/faults/summary.json"))
    if not path.is_file():
        sys.stderr.write(f"{path} is not there: run `make faults` first.\n")
        return 1
    summary = Summary(**json.loads(path.read_text(encoding="utf-8")))
    beside = _beside(path)
    recovery = Recovery(**json.loads(beside.read_text(encoding="utf-8"))) if beside.is_file() else None
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}{table(summary, recovery)}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
