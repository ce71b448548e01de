"""A connection in a file: one item of `connections.yaml`, alone or in its list, in YAML or JSON."""

from pathlib import Path
from typing import Any

import msgspec

from clearline.cli.bounded_file import read_at_most
from clearline.cli.declared.references import folder_of, has_reference, rooted
from clearline.cli.declared.tree import MAX_BYTES, UnreadableError, parse
from clearline.cli.ends import WrongUseError


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One connection as a file states it. `credentials` holds references such as `${env:NAME}`, never secrets."""

    name: str | None = None
    environment: str | None = None
    kind: str | None = None
    owner: str | None = None
    config: dict[str, Any] = {}
    credentials: dict[str, Any] = {}
    beat: dict[str, Any] | None = None
    active: bool | None = None
    credentials_after: str | None = None
    """Read by `apply` alone."""


def read_item(path: Path, name: str | None, current: Path) -> Item:
    """The item of the file; of several, the one called `name`. Its references hold wherever they are read."""
    items = [_item(one, path) for one in _items(_loaded(path), path)]
    if len(items) > 1 and name is not None:
        items = [item for item in items if item.name == name]
    if len(items) != 1:
        raise WrongUseError(
            f"{path} holds {len(items)} connections that fit; one is wanted.",
            "Choose one with --name, or split the file.",
        )
    folder = folder_of(path, current)
    held = {name: rooted(one, folder) if isinstance(one, str) else one for name, one in items[0].credentials.items()}
    return msgspec.structs.replace(items[0], credentials=held)


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
        item = msgspec.convert(raw, Item)
    except msgspec.ValidationError as error:
        raise WrongUseError(f"{path}: {error}.", f"Fields: {', '.join(Item.__struct_fields__)}.") from None
    if refers([item.name, item.config]):
        raise WrongUseError(
            f"{path}: here references are replaced in credentials alone, and config or name holds one.",
            "`clearline apply -f` replaces those of config too.",
        )
    return item


def refers(value: Any) -> bool:
    """Whether a text in it is to come from elsewhere; sent as it is, it would be saved as it is."""
    match value:
        case str():
            return has_reference(value)
        case dict():
            return any(map(refers, value.values()))
        case list():
            return any(map(refers, value))
        case _:
            return False


def _loaded(path: Path) -> Any:
    try:
        content = read_at_most(path, MAX_BYTES)
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        parsed = parse(content)
    except UnreadableError as error:
        raise WrongUseError(f"{path}, line {error.line}: {error.detail}") from None
    for line, detail in parsed.faults:
        raise WrongUseError(f"{path}, line {line}: {detail}")
    if len(parsed.documents) > 1:
        return {"connections": [one for document in parsed.documents for one in _items(document.plain(), path)]}
    return parsed.documents[0].plain() if parsed.documents else None
