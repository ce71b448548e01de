"""`clearline test`: have Clearline try values that nobody has saved, step by step; Ctrl-C ends the test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearline.cli import naming
from clearline.cli.answers import TestStarted
from clearline.cli.commands import options
from clearline.cli.commands.kinds import form_of
from clearline.cli.commands.trying_files import cancel, try_files
from clearline.cli.commands.verifying import growing
from clearline.cli.configuration import Forms, Given, creation, edition, required, send_asking
from clearline.cli.document import Item
from clearline.cli.draft import Draft
from clearline.cli.ends import ExitCode, WrongUseError
from clearline.cli.lines import Line
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm
from clearline.cli.waiting import exit_code

if TYPE_CHECKING:
    from clearline.cli.session import Session


@dataclass(frozen=True, slots=True)
class Wish:
    """What is tried. `lender` is the saved connection whose stored secrets it may use."""

    label: str
    draft: Draft
    lender: str | None = None


def try_values(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A saved connection: try a change with its stored secrets.")
    ] = None,
    *,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="FILE", help="Connections as for `apply`. Repeatable."),
    ] = None,
    only: options.Only = None,
    environment: options.Environment = None,
    kind: options.Kind = None,
    fields: options.SetFields = None,
    unset: options.Unset = None,
    secrets: options.Secrets = None,
    timeout: options.Timeout = options.DEFAULT_TIMEOUT,
    output: options.Output = OutputForm.TABLE,
) -> None:
    """Try values without saving them, from where Clearline runs. Exit 1 if one fails."""
    given = Given(
        environment=environment,
        kind=kind,
        fields=fields or (),
        unset=unset or (),
        secrets=secrets or (),
        beat={},
    )
    if files and (name is not None or environment or kind or not given.nothing):
        raise typer.BadParameter("With -f the file says it all.", param_hint="--file")
    if files:
        raise typer.Exit(try_files(context, files, only or (), timeout, output))
    with session(context, output) as opened:
        code, shown = _tried(opened, _of_options(opened, name, given), timeout)
        if opened.screen.wants_json:
            opened.screen.json(shown)
        raise typer.Exit(code)


def _tried(opened: "Session", wish: Wish, timeout: float) -> tuple[ExitCode, dict[str, Any]]:
    """Start it and show it to its end. Nobody waits for it after that, so what still runs is cancelled."""
    if not opened.screen.wants_json:
        opened.screen.line(Line(wish.label, "bold"))
    reply = send_asking(
        opened, wish.draft, lambda complete: opened.api.post("/connections:test", complete.to_try(wish.lender))
    )
    started = read(TestStarted, reply.body)
    path = f"/connection-tests/{started.test_id}"
    try:
        seen, shown = growing(opened, path, started.correlation_id, timeout, "testing")
    except KeyboardInterrupt:
        cancel(opened, path)
        opened.screen.note("The test is cancelled; nothing was saved.")
        raise
    if seen.status == "pending":
        cancel(opened, path)
        opened.screen.note(f"Waited {timeout:g} s, then cancelled the test; wait longer with --timeout.")
    return exit_code(seen), {"label": wish.label, **shown}


def _of_options(opened: "Session", name: str | None, given: Given) -> Wish:
    if name is None:
        if not given.kind and not given.environment:
            raise WrongUseError(
                "What to test was not said.", "Name a file (-f FILE), a connection, or --environment and --kind."
            )
        if given.unset:
            raise WrongUseError("--unset changes a saved connection: name it.")
        forms = Forms.of(form_of(opened, required(given.kind, "--kind")))
        draft = creation(given, Item(), forms, opened.surroundings)
        return Wish(f"{draft.environment}/(unsaved {draft.kind})", draft)
    current = naming.find(opened.api, name)
    draft = edition(given, None, current, Forms.of(form_of(opened, current.kind)), opened.surroundings)
    return Wish(current.label, draft, current.id)
