"""From the gateway's connections to declared ones, and to the text of a file with what must be supplied."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from clearline.catalogue import ClearlineError
from clearline.cli.answers import Connection
from clearline.cli.declared.references import literal
from clearline.cli.exporting.variables import variables
from clearline.cli.exporting.yaml_text import fields
from clearline.cli.plain_text import plain
from clearline.contracts.connection import ENVIRONMENTS
from clearline.probes.beats import BeatDraft
from clearline.probes.forms import parse_config
from clearline.probes.registry import KINDS


@dataclass(frozen=True, slots=True)
class Exported:
    """One connection as a file declares it, with what a reader should know."""

    connection: Connection
    item: dict[str, Any]
    needed: tuple[str, ...]
    """Variables that must be set before it can be applied."""

    @property
    def remark(self) -> str | None:
        """Why `active` is left out, where it is."""
        one = self.connection
        if "active" in self.item:
            return None
        return (
            f"Revision {one.revision} stands here, {one.live_revision} is live. Without `active` apply leaves it so; "
            "with `active: true` this one goes live."
        )


def exported(connections: Iterable[Connection]) -> list[Exported]:
    """The newest revision of each, by environment and name."""
    ordered = sorted(connections, key=lambda one: (_rank(one.environment), one.name))
    names = variables(ordered)
    return [_exported(one, {field: names[one.id, field] for field in sorted(one.credentials)}) for one in ordered]


def text(found: Sequence[Exported], *, ascii_only: bool) -> str:
    """The file."""
    return "\n".join(_lines(found, ascii_only=ascii_only)) + "\n"


def _lines(found: Sequence[Exported], *, ascii_only: bool) -> Iterator[str]:
    yield "# Written by `clearline export`; `clearline apply -f` reads it back and finds nothing changed."
    if any(one.needed for one in found):
        yield "# Secrets are never exported. Set these variables before you apply, or write other references:"
        yield from (
            f"#   {name}  ({_comment(one.connection.label, ascii_only)})" for one in found for name in one.needed
        )
    yield "connections:" if found else "connections: []"
    for one in found:
        if one.remark:
            yield f"  # {one.remark}"
        first, *rest = fields(one.item, 4, ascii_only=ascii_only)
        yield f"  - {first.lstrip()}"
        yield from rest


def _exported(one: Connection, names: dict[str, str]) -> Exported:
    item: dict[str, Any] = {"name": literal(one.name), "environment": one.environment, "kind": one.kind}
    if one.owner:
        item["owner"] = one.owner
    item["config"] = _literal(_without_defaults(one))
    if names:
        item["credentials"] = {field: f"${{env:{name}}}" for field, name in names.items()}
    if beat := _beat(one):
        item["beat"] = beat
    if one.lifecycle != "active" or one.live_revision == one.revision:
        item["active"] = one.lifecycle == "active"
    return Exported(one, item, tuple(names.values()))


def _without_defaults(one: Connection) -> dict[str, Any]:
    """The config without what every new connection of the kind has anyway; all of it where this version knows less."""
    kind = KINDS.get(one.kind)
    try:
        form = parse_config(kind, dict(one.config)) if kind else None
    except ClearlineError:
        form = None
    return dict(one.config) if form is None else form.model_dump(mode="json", exclude_defaults=True)


def _beat(one: Connection) -> dict[str, Any]:
    """What differs from a beat that is not said."""
    given = {name: one.beat.get(name) for name in BeatDraft.__dataclass_fields__}
    standard = BeatDraft()
    usual: dict[str, Any] = msgspec.to_builtins(
        BeatDraft(interval_seconds=given["interval_seconds"] or standard.interval_seconds).policy()
    )  # the timeout's default follows the interval
    usual["interval_seconds"] = standard.interval_seconds
    return {name: value for name, value in given.items() if value is not None and value != usual[name]}


def _literal(value: Any) -> Any:
    match value:
        case str():
            return literal(value)
        case dict():
            return {name: _literal(inner) for name, inner in value.items()}
        case list():
            return [_literal(inner) for inner in value]
        case _:
            return value


def _rank(environment: str) -> int:
    known: tuple[str, ...] = ENVIRONMENTS
    return known.index(environment) if environment in known else len(known)


def _comment(told: str, ascii_only: bool) -> str:  # noqa: FBT001 - private, one caller
    clean = plain(told, 200)
    return clean.encode("ascii", "replace").decode() if ascii_only else clean
