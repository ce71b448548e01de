"""`clearline kinds`: what can be connected, and the fields of each kind's form."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from clearline.cli.commands.options import Output
from clearline.cli.ends import RefusedError, WrongUseError
from clearline.cli.reading import segment
from clearline.cli.session import Session, session
from clearline.cli.surroundings import OutputForm
from clearline.cli.typed_fields import branches

NOT_FOUND = 404


def kinds(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="One kind, with its fields.")] = None,
    *,
    output: Output = OutputForm.TABLE,
) -> None:
    """List the kinds of connections, or the fields and permissions of one."""
    with session(context, output) as opened:
        if kind is None:
            _show_all(opened)
        else:
            _show_one(opened, kind)


def form_of(opened: Session, kind: str) -> dict[str, Any]:
    """The gateway's answer about one kind; an unknown one is wrong use, told with those that there are."""
    try:
        body: dict[str, Any] = opened.api.get(f"/connection-kinds/{segment(kind)}").body
    except RefusedError as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        known = ", ".join(str(one.get("name")) for one in opened.api.items("/connection-kinds"))
        raise WrongUseError(f"There is no kind {kind}.", f"Kinds: {known}") from None
    return body


def _show_all(opened: Session) -> None:
    found = list(opened.api.items("/connection-kinds"))
    if opened.screen.wants_json:
        opened.screen.json({"items": found, "next_cursor": None})
        return
    rows = [(one.get("name"), one.get("title", ""), one.get("description", "")) for one in found]
    opened.screen.table(("KIND", "TITLE", "DESCRIPTION"), rows)


def _show_one(opened: Session, kind: str) -> None:
    body = form_of(opened, kind)
    screen = opened.screen
    if screen.wants_json:
        screen.json(body)
        return
    screen.line(f"{body.get('title', kind)}: {body.get('description', '')}")
    screen.line()
    for title, part in (("FIELD", "config"), ("SECRET", "credentials")):
        rows = list(_rows(body.get(part, {})))
        if rows:
            screen.table((title, "TYPE", "REQUIRED", "DEFAULT", "DESCRIPTION"), rows)
            screen.line()
    for permission in body.get("permissions", []):
        screen.line(f"Checks {permission.get('name')}: {permission.get('description', '')}")


def _rows(schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        default = field.get("default")
        yield (
            name,
            type_in_words(field, schema),
            "yes" if name in required else "",
            "" if default is None else default if isinstance(default, str) else json.dumps(default),
            _meaning(field, schema),
        )


def _meaning(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    told = [part["description"] for part in (field, *branches(field, root)) if "description" in part]
    return str(told[0] if told else field.get("title", ""))


def type_in_words(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """What the field takes: `integer`, `disable|prefer|require`, `array or integer`."""
    told: list[str] = []
    for branch in branches(field, root):
        if "enum" in branch:
            told.append("|".join(str(value) for value in branch["enum"]))
        elif "const" in branch:
            told.append(str(branch["const"]))
        elif branch.get("type") != "null":
            told.append(str(branch.get("type", "any")))
    return " or ".join(dict.fromkeys(told))
