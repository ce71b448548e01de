"""Golden examples: bodies as they lie on the bus, written by hand and frozen by their digests."""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

FOLDER = "shared/src/clearline/contracts/examples"
DIGESTS = "digests.txt"


def example_texts() -> dict[str, str]:
    """Path below the examples' folder (`connection.verified/v1/full.json`) → text."""
    root = files("clearline.contracts").joinpath("examples")
    return {
        f"{kind.name}/{version.name}/{example.name}": example.read_text(encoding="utf-8")
        for kind in _folders(root)
        for version in _folders(kind)
        for example in sorted(version.iterdir(), key=lambda found: found.name)
    }


def examples_by_type(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Slug of a type → name of an example → its body."""
    found: dict[str, dict[str, Any]] = {}
    for path, text in texts.items():
        slug, _, name = path.rpartition("/")
        found.setdefault(slug, {})[name.removesuffix(".json")] = json.loads(text)
    return found


def recorded_digests() -> dict[str, str]:
    """Path → SHA-256 as it was when the example was frozen."""
    lines = files("clearline.contracts").joinpath("examples", DIGESTS).read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def thawed(recorded: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Examples that are no longer what they were when they were frozen."""
    return [path for path, digest in recorded.items() if path not in texts or digest_of(texts[path]) != digest]


def digest_list(recorded: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """The list with new examples added; those that it knows keep their digest (`sha256sum --check` reads it)."""
    digests = {path: digest_of(text) for path, text in texts.items()} | dict(recorded)
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _folders(root: Traversable) -> list[Traversable]:
    return sorted((found for found in root.iterdir() if found.is_dir()), key=lambda found: found.name)
