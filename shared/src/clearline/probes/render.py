"""Renders the guide of connection kinds from the registry: `python -m clearline.probes.render [--check]`."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from clearline.generated import NOTICE, run
from clearline.probes.forms import parse_config
from clearline.probes.probe import Kind
from clearline.probes.registry import KINDS

COMMAND = "python -m clearline.probes.render"
PAGE = "docs/guides/connection-kinds.md"
ARROW = " → "

_INTRODUCTION = """\
What can be connected, what a verification of each kind proves, and what its form asks. `clearline kinds` prints the
same from a running installation, and `GET /api/v1/connection-kinds` gives it as JSON Schemas.

A verification climbs the steps of its kind in this order and stops at the first that fails, with an
[error code](../errors/README.md), the field to look at and what to do. Addresses that are private are dialled only
where an operator lists their network in `CLEARLINE_OUTBOUND_ALLOW`. What each kind says of servers that are right,
wrong, ill or silent was tried: [verification on real servers](../quality/verification.md).
"""

_TYPES = {"string": "text", "boolean": "`true`, `false`", "integer": "number", "number": "number"}


def page(kinds: Mapping[str, Kind]) -> str:
    """The whole guide."""
    return "\n".join(_lines(kinds)) + "\n"


def example(kind: Kind) -> dict[str, Any]:
    """One connection as `clearline apply` and `clearline check` read it: what has to be filled in, and nothing else."""
    properties, required = _properties(kind.config)
    config = {name: properties[name]["examples"][0] for name in required}
    needed = sorted(kind.required_credentials(parse_config(kind, config)))
    credentials = {name: f"${{env:{kind.name.upper()}_{name.upper()}}}" for name in needed}
    whole = {"name": f"my-{kind.name}", "environment": "development", "kind": kind.name, "config": config}
    return whole | ({"credentials": credentials} if credentials else {})


def _lines(kinds: Mapping[str, Kind]) -> Iterator[str]:
    yield "# Connection kinds\n"
    yield f"<!-- {NOTICE.format(command=COMMAND)} -->\n"
    yield _INTRODUCTION
    yield "| kind | is verified by |\n|---|---|"
    yield from (f"| [`{kind.name}`](#{kind.name}) | {_cell(kind.description)} |" for kind in kinds.values())
    for kind in kinds.values():
        yield from _section(kind)


def _section(kind: Kind) -> Iterator[str]:
    yield f'\n<a id="{kind.name}"></a>\n\n## `{kind.name}`: {kind.title}\n'
    yield f"{kind.description}\n"
    yield f"Steps: {ARROW.join(kind.steps)}\n"
    yield "| config | is | default | |\n|---|---|---|---|"
    yield from _config_rows(kind)
    properties, required = _properties(kind.credentials)
    if properties:
        yield "\n| credential | needed | |\n|---|---|---|"
        for name, schema in properties.items():
            needed = "always" if name in required else "where the config uses it"
            yield f"| `{name}` | {needed} | {_meaning(schema)} |"
    if kind.permissions:
        yield "\n| permission | what has to be allowed, each checked on its own |\n|---|---|"
        yield from (f"| {one.name} | {_cell(one.description)} |" for one in kind.permissions)
    yield "\n```yaml\nconnections:"
    yield from _as_yaml(example(kind))
    yield "```"


def _config_rows(kind: Kind) -> Iterator[str]:
    properties, required = _properties(kind.config)
    for name, schema in properties.items():
        default = "**required**" if name in required else _default(schema.get("default"))
        yield f"| `{name}` | {_type(schema)} | {default} | {_meaning(schema)} |"


def _properties(form: type[Any]) -> tuple[dict[str, Any], list[str]]:
    schema = form.model_json_schema()
    whole = _with_definitions(schema.get("properties", {}), schema.get("$defs", {}))
    return whole, schema.get("required", [])


def _with_definitions(part: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place."""
    match part:
        case {"$ref": str(reference)}:
            return _with_definitions(definitions[reference.rpartition("/")[2]], definitions)
        case dict():
            return {name: _with_definitions(inner, definitions) for name, inner in part.items()}
        case list():
            return [_with_definitions(inner, definitions) for inner in part]
        case _:
            return part


def _type(schema: Mapping[str, Any]) -> str:
    """A field's type in words; what may be absent is told by its default."""
    match schema:
        case {"anyOf": [inner, *_]}:
            told = _type(inner)
        case {"enum": values}:
            told = ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            told = f"list of {_type(items)}"
        case {"contentMediaType": "application/x-pem-file"}:
            told = "PEM text"
        case {"type": "object", "properties": inner}:
            told = " and ".join(f"`{name}` ({_type(one)})" for name, one in inner.items())
        case {"minimum": low, "maximum": high}:
            told = f"number, {low} to {high}"
        case _:
            told = _TYPES.get(schema.get("type", ""), "object")
    return told


def _default(value: object) -> str:
    match value:
        case None | "" | [] | {}:
            return ""
        case str():
            return f"`{value}`"
        case _:
            return f"`{json.dumps(value)}`"


def _meaning(schema: Mapping[str, Any]) -> str:
    """The field's own words; the title alone where it says enough."""
    described = schema if "description" in schema else next(iter(schema.get("anyOf", ())), schema)
    return _cell(described.get("description") or f"{schema.get('title', '')}.")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _as_yaml(entry: Mapping[str, Any]) -> Iterator[str]:
    mark = "  - "
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield f"{mark}{name}:"
            yield from (f"      {inner}: {json.dumps(one)}" for inner, one in value.items())
        else:
            yield f"{mark}{name}: {value}"
        mark = "    "


def main() -> int:
    return run(COMMAND, {PAGE: page(KINDS)})


if __name__ == "__main__":
    sys.exit(main())
