"""`clearline connections`: list, show, retire, history; creating and editing lie beside it."""

from typing import Annotated

import typer

from clearline.cli import naming
from clearline.cli.answers import Connection
from clearline.cli.commands import configuring
from clearline.cli.commands.options import Name, Output
from clearline.cli.connection_view import HEADERS, HISTORY_HEADERS, connection_lines, history_row, row
from clearline.cli.ends import WrongUseError
from clearline.cli.plain_text import plain
from clearline.cli.reading import read
from clearline.cli.session import Session, session
from clearline.cli.surroundings import OutputForm

app = typer.Typer(help="Configure connections and look at them.", no_args_is_help=True)
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; all if left out.")]


@app.command("list")
def list_connections(
    context: typer.Context,
    *,
    environment: Annotated[str | None, typer.Option("--environment", help="Only those of this environment.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only those of this kind.")] = None,
    lifecycle: Annotated[str | None, typer.Option("--lifecycle", help="inactive, active or retired.")] = None,
    verification: Annotated[str | None, typer.Option("--verification", help="For example failed or expired.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only those of this name.")] = None,
    limit: Limit = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """List connections with their state."""
    with session(context, output) as opened:
        filters = {
            "environment": environment,
            "kind": kind,
            "lifecycle": lifecycle,
            "verification": verification,
            "name": name,
        }
        found = list(opened.api.items("/connections", limit, **filters))
        if opened.screen.wants_json:
            opened.screen.json({"items": found, "next_cursor": None})
            return

        opened.screen.table(HEADERS, [row(read(Connection, one)) for one in found])
        if not found:
            opened.screen.note("No connection fits." if any(filters.values()) else "There are no connections yet.")


@app.command()
def show(context: typer.Context, name: Name, *, output: Output = OutputForm.TABLE) -> None:
    """Show one connection: config, states, the newest verification step by step."""
    with session(context, output) as opened:
        body = opened.api.get(f"/connections/{naming.find(opened.api, name).id}").body
        if opened.screen.wants_json:
            opened.screen.json(body)
            return
        for line in connection_lines(read(Connection, body)):
            opened.screen.line(line)


@app.command()
def retire(
    context: typer.Context,
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Output = OutputForm.TABLE,
) -> None:
    """Retire a connection for good: its secrets are wiped and its name becomes free."""
    with session(context, output) as opened:
        found = naming.find(opened.api, name)
        reply = opened.api.get(f"/connections/{found.id}")
        if not yes:
            _agree(opened, found, f"Retire {found.label}, {found.lifecycle}, for good?", "Nothing was retired.")
        answer = opened.api.delete(f"/connections/{found.id}", etag=reply.etag)
        if opened.screen.wants_json:
            opened.screen.json(answer.body)
        else:
            opened.screen.line(f"{found.label} is retired. Its id stays: {found.id}")


@app.command()
def erase(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The id: a retired connection has lost its name.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Output = OutputForm.TABLE,
) -> None:
    """Erase what a retired connection held: config, revisions, evidence. For admins; cannot be undone."""
    with session(context, output) as opened:
        found = naming.find(opened.api, identifier)
        if not yes:
            _agree(opened, found, f"Erase all that {found.label} held?", "Nothing was erased.")
        answer = opened.api.post(f"/connections/{found.id}:erase")
        if opened.screen.wants_json:
            opened.screen.json(answer.body)
        else:
            opened.screen.line(f"{found.id} is erased. Its history stays, without contents.")


@app.command()
def history(context: typer.Context, name: Name, *, limit: Limit = 50, output: Output = OutputForm.TABLE) -> None:
    """Show who changed what and when, newest first."""
    with session(context, output) as opened:
        found = naming.find(opened.api, name)
        entries = list(opened.api.items(f"/connections/{found.id}/history", limit))
        if opened.screen.wants_json:
            opened.screen.json({"items": entries, "next_cursor": None})
        else:
            opened.screen.table(HISTORY_HEADERS, [history_row(entry) for entry in entries])


app.command()(configuring.create)
app.command()(configuring.edit)


def _agree(opened: Session, found: Connection, question: str, otherwise: str) -> None:
    """Ask for the name before what cannot be undone; raises with `otherwise` where another one is typed."""
    if not opened.surroundings.interactive:
        raise WrongUseError("This cannot be undone and nobody can be asked here.", "Say so with --yes.")
    if opened.surroundings.ask(plain(f"{question} Type its name to go on: ")).strip() != found.name:
        raise WrongUseError(otherwise)
