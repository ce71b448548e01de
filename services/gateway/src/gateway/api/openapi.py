"""Writes docs/api/openapi.json, from which clients are generated: `python -m gateway.api.openapi [--check]`."""

import json
import sys
from pathlib import Path

from gateway.api.app import create_api

TARGET = Path("docs/api/openapi.json")


def rendered() -> str:
    """The document as it is kept."""
    return json.dumps(create_api().openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str], root: Path) -> int:
    """Write it, or with `--check` say whether what is kept is current."""
    target, text = root / TARGET, rendered()
    if "--check" in arguments:
        if target.exists() and target.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{TARGET} is not current: run python -m gateway.api.openapi\n")
        return 1
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Path.cwd()))
