"""`clearline export`: the configured connections as a file for `clearline apply`."""

from typing import Annotated

import typer

from clearline.cli import naming
from clearline.cli.answers import Connection
from clearline.cli.commands.options import Output
from clearline.cli.ends import WrongUseError
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm


def export(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; as NAME in other commands.")
    ] = None,
    *,
    environment: Annotated[str | None, typer.Option("--environment", help="Only those of this environment.")] = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Write connections as YAML (or JSON) that `apply -f` reads back. Secrets become ${env:NAME}."""
    from clearline.cli.exporting import document  # noqa: PLC0415 - the kinds cost 0.2 s, which `--help` need not pay

    with session(context, output) as opened:
        if names:
            found = {one.id: one for one in (naming.find(opened.api, name) for name in names)}
            if gone := [one.id for one in found.values() if one.lifecycle == "retired"]:
                raise WrongUseError(f"{gone[0]} is retired: a file would make a new connection.", "Leave it out.")
            chosen = [one for one in found.values() if environment in (None, one.environment)]
        else:
            listed = opened.api.items("/connections", environment=environment)
            chosen = [one for one in (read(Connection, body) for body in listed) if one.lifecycle != "retired"]
        exported = document.exported(chosen)
        if opened.screen.wants_json:
            opened.screen.json({"connections": [one.item for one in exported]})
            return

        opened.screen.raw(document.text(exported, ascii_only=not opened.screen.unicode))
        if not exported:
            opened.screen.note("No connection fits.")
