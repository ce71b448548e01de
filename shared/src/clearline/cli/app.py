"""The tree of commands."""

from typing import Annotated

import typer

from clearline.cli.commands import (
    applying,
    audit,
    checking,
    connections,
    dead_letters,
    doctor,
    exporting,
    keys,
    kinds,
    lifecycle,
    schema,
    tokens,
    trying,
    verifying,
    version,
)

app = typer.Typer(
    name="clearline",
    help="Service connections that are proven before they go live.",
    epilog="Exit codes: 0 fine, 1 it failed, 2 inconclusive or used wrongly, 3 Clearline could not be reached.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich help would cost 0.3 s of every --help
    pretty_exceptions_enable=False,  # a traceback with local variables could show a secret
)


@app.callback()
def clearline(
    context: typer.Context,
    *,
    shown: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=version.print_and_end)
    ] = False,
) -> None:
    """Service connections that are proven before they go live."""


app.command()(checking.check)
app.command()(applying.apply)
app.command()(exporting.export)
app.command()(schema.schema)
app.add_typer(connections.app, name="connections")
app.command()(verifying.verify)
app.command("test")(trying.try_values)
app.command()(lifecycle.activate)
app.command()(lifecycle.deactivate)
app.command()(kinds.kinds)
app.add_typer(tokens.app, name="tokens")
app.add_typer(keys.app, name="keys")
app.command()(audit.audit)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(doctor.doctor)
app.command()(version.version)
