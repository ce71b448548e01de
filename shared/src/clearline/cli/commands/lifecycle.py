"""`clearline activate` and `clearline deactivate`."""

import typer

from clearline.cli import naming
from clearline.cli.answers import Connection
from clearline.cli.commands.options import Name, Output
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm


def activate(
    context: typer.Context,
    name: Name,
    *,
    revision: int | None = typer.Option(None, min=1, help="The newest if left out; the last live one may be named."),
    output: Output = OutputForm.TABLE,
) -> None:
    """Let a connection go live. Refused (exit 1) unless that revision holds an unexpired success."""
    _act(context, name, "activate", None if revision is None else {"revision": revision}, output)


def deactivate(context: typer.Context, name: Name, *, output: Output = OutputForm.TABLE) -> None:
    """Take a connection out of service; it stays configured."""
    _act(context, name, "deactivate", None, output)


def _act(context: typer.Context, name: str, act: str, body: dict[str, int] | None, output: OutputForm) -> None:
    with session(context, output) as opened:
        found = naming.find(opened.api, name)
        reply = opened.api.post(f"/connections/{found.id}/{act}", body)
        if opened.screen.wants_json:
            opened.screen.json(reply.body)
            return
        now = read(Connection, reply.body)
        told = f"{now.label} is {now.lifecycle}"
        opened.screen.line(told + (f", revision {now.live_revision} is live." if now.live_revision else "."))
