"""Renders docs/events from the contracts: `python -m clearline.contracts.render [--check] [--accept TYPE]`."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Mapping
from pathlib import Path

from clearline.contracts.compatibility import Break, breaking_changes
from clearline.contracts.examples import DIGESTS, digest_list, example_texts, examples_by_type, recorded_digests, thawed
from clearline.contracts.examples import FOLDER as EXAMPLES
from clearline.contracts.render_asyncapi import asyncapi
from clearline.contracts.render_schemas import FOLDER as SCHEMAS
from clearline.contracts.render_schemas import schema_files
from clearline.contracts.render_topics import topic_page
from clearline.contracts.render_yaml import to_yaml
from clearline.contracts.topics import TOPICS
from clearline.generated import run

COMMAND = "python -m clearline.contracts.render"
OWNED = (f"{SCHEMAS}/**/*", "docs/events/*")


def rendered() -> dict[str, str]:
    """Every file that the contracts give rise to: path → text."""
    texts = example_texts()
    examples = examples_by_type(texts)
    return {
        "docs/events/README.md": topic_page(COMMAND, TOPICS, examples),
        "docs/events/asyncapi.yaml": to_yaml(asyncapi(TOPICS, examples)),
        f"{EXAMPLES}/{DIGESTS}": digest_list(recorded_digests(), texts),
        **schema_files(TOPICS),
    }


def released_schemas(root: Path) -> dict[str, str]:
    """The schemas as they are committed: what consumers were built against."""
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted((root / SCHEMAS).rglob("*.json"))}


def breaks(released: Mapping[str, str], current: Mapping[str, str]) -> list[Break]:
    """Every change of a released schema that breaks somebody."""
    found: list[Break] = []
    for path, text in released.items():
        new = current.get(path)
        found += breaking_changes(json.loads(text), json.loads(new) if new else None)
    return found


def refusals(root: Path, accepted: Collection[str]) -> list[str]:
    """Why nothing may be rendered: a consumer would break, or a golden example was edited."""
    texts = example_texts()
    edited = [f"{EXAMPLES}/{path} is frozen: add another example instead" for path in thawed(recorded_digests(), texts)]
    broken = [str(found) for found in breaks(released_schemas(root), rendered()) if found.type_name not in accepted]
    return edited + broken


def main() -> int:
    parser = ArgumentParser(prog=COMMAND, add_help=False)
    parser.add_argument("--accept", action="append", default=[], metavar="TYPE")
    parser.add_argument("--root", type=Path, default=Path.cwd())
    options, _ = parser.parse_known_args()
    refused = refusals(options.root, options.accept)
    for reason in refused:
        sys.stderr.write(f"{reason}.\n")
    if refused:
        sys.stderr.write("Within a version only optional fields are added: make a new version of the type beside it.\n")
        sys.stderr.write("Before anything was released, `--accept TYPE` takes the change; say why in the commit.\n")
        return 1
    rest = [argument for argument in sys.argv[1:] if argument in {"--check", "--help"}]
    return run(COMMAND, rendered(), OWNED, [*rest, "--root", str(options.root)])


if __name__ == "__main__":
    sys.exit(main())
