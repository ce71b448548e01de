"""Renders the published JSON Schema of connections in files: `python -m clearline.cli.declared.render [--check]`."""

import json
import sys

from clearline.cli.declared.schema import connections_schema
from clearline.generated import run
from clearline.probes.registry import KINDS

COMMAND = "python -m clearline.cli.declared.render"
PATH = "docs/schemas/connections.schema.json"


def main() -> int:
    schema = json.dumps(connections_schema(KINDS), indent=2, ensure_ascii=False) + "\n"
    return run(COMMAND, {PATH: schema}, owned=["docs/schemas/*"])


if __name__ == "__main__":
    sys.exit(main())
