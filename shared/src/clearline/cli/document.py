"""A connection in a file: one item of `connections.yaml`, alone or in its list, in YAML or JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from clearline.cli.ends import WrongUseError

MAX_BYTES = 1024 * 1024


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One connection as a file states it. `credentials` holds references such as `${env:NAME}`, never secrets."""

    name: str | None = None
    environment: str | None = None
    kind: str | None = None
    owner: str | None = None
    config: dict[str, Any] = {}
    credentials: dict[str, Any] = {}
    beat: dict[str, Any] | None = None
    active: bool = False


def read_item(path: Path, name: str | None) -> Item:
    """The item of the file; of several, the one called `name`."""
    items = [_item(one, path) for one in _items(_loaded(path), path)]
    if len(items) > 1 and name is not None:
        items = [item for item in items if item.name == name]
    if len(items) != 1:
        raise WrongUseError(
            f"{path} holds {len(items)} connections that fit; one is wanted.",
            "Choose one with --name, or split the file.",
        )
    return items[0]


def _items(document: Any, path: Path) -> list[Any]:
    match document:
        case {"connections": list(items)} if len(document) == 1:
            return list(items)
        case {"connections": _}:
            raise WrongUseError(f"{path}: `connections` must be a list and stand alone.")
        case dict():
            return [document]
        case _:
            raise WrongUseError(f"{path} holds no connection.", "Start it with name, environment, kind and config.")


def _item(raw: Any, path: Path) -> Item:
    try:
        return msgspec.convert(raw, Item)
    except msgspec.ValidationError as error:
        raise WrongUseError(f"{path}: {error}.", f"Fields: {', '.join(Item.__struct_fields__)}.") from None


def _loaded(path: Path) -> Any:
    import yaml  # noqa: PLC0415 - read only when a file is given

    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise WrongUseError(f"{path} is larger than {MAX_BYTES} bytes.")
    try:
        document = yaml.safe_load(content)  # JSON is YAML
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise WrongUseError(f"{path}{place}: this is neither YAML nor JSON.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise WrongUseError(f"{path}: this is neither YAML nor JSON.") from None
    return document if not isinstance(document, Mapping) else dict(document)
