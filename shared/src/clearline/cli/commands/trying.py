"""`clearline test`: have Clearline try values that nobody has saved, step by step; Ctrl-C ends the test."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearline.cli import naming
from clearline.cli.answers import TestStarted
from clearline.cli.commands import options
from clearline.cli.commands.kinds import form_of
from clearline.cli.commands.verifying import growing
from clearline.cli.configuration import Forms, Given, creation, edition, required, send_asking
from clearline.cli.document import Item
from clearline.cli.ends import CommandError, ExitCode, RefusedError, WrongUseError
from clearline.cli.lines import Line
from clearline.cli.problem_view import error_lines, problem_body
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm
from clearline.cli.waiting import exit_code

if TYPE_CHECKING:
    from clearline.cli.declared.declaration import Declared
    from clearline.cli.session import Session

Wish = tuple[str, dict[str, Any]]
"""What to call it on the screen, and the body of POST /connections:test."""


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
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="ENVIRONMENT", help="development, staging or production.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="See: clearline kinds.")] = None,
    fields: options.SetFields = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Back to its default. Repeatable.")
    ] = None,
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
    with session(context, output) as opened:
        if files:
            opened.api.wait_when_limited(opened.surroundings.sleep)
            tested = [_tried_apart(opened, wish, timeout) for wish in _of_files(opened, files, only or ())]
        else:
            tested = [_tried(opened, _of_options(opened, name, given), timeout)]
        if opened.screen.wants_json:
            opened.screen.json([body for _, body in tested] if files else tested[0][1])
        codes = {code for code, _ in tested}
        raise typer.Exit(max(codes, key=(ExitCode.FINE, ExitCode.INCONCLUSIVE, ExitCode.FAILED).index))


def _tried_apart(opened: "Session", wish: Wish, timeout: float) -> tuple[ExitCode, dict[str, Any]]:
    """The same for one of several: what is refused is told under its name, and the others go on."""
    try:
        return _tried(opened, wish, timeout)
    except RefusedError as refused:
        if not opened.screen.wants_json:
            for line in error_lines(refused):
                opened.screen.line(line)
        return ExitCode.FAILED, {"label": wish[0], "status": "refused", "problem": dict(problem_body(refused))}


def _tried(opened: "Session", wish: Wish, timeout: float) -> tuple[ExitCode, dict[str, Any]]:
    """Start it and show it to its end. Nobody waits for it after that, so what still runs is cancelled."""
    label, body = wish
    if not opened.screen.wants_json:
        opened.screen.line(Line(label, "bold"))
    reply = send_asking(opened, body, lambda complete: opened.api.post("/connections:test", complete))
    started = read(TestStarted, reply.body)
    path = f"/connection-tests/{started.test_id}"
    try:
        seen, shown = growing(opened, path, started.correlation_id, timeout, "testing")
    except KeyboardInterrupt:
        _cancel(opened, path)
        opened.screen.note("The test is cancelled; nothing was saved.")
        raise
    if seen.status == "pending":
        _cancel(opened, path)
        opened.screen.note(f"Waited {timeout:g} s, then cancelled the test; wait longer with --timeout.")
    return exit_code(seen), {"label": label, **shown}


def _cancel(opened: "Session", path: str) -> None:
    """A test that cannot be cancelled now ends by its own deadline."""
    try:
        opened.api.delete(path)
    except CommandError as error:
        opened.screen.note(f"It could not be cancelled and ends by itself: {error.sentence}")


def _of_options(opened: "Session", name: str | None, given: Given) -> Wish:
    if name is None:
        if not given.kind and not given.environment:
            raise WrongUseError(
                "What to test was not said.", "Name a file (-f FILE), a connection, or --environment and --kind."
            )
        if given.unset:
            raise WrongUseError("--unset changes a saved connection: name it.")
        forms = Forms.of(form_of(opened, required(given.kind, "--kind")))
        body = creation(_named(given), Item(), forms, opened.surroundings)
        return f"{body['environment']}/(unsaved {body['kind']})", {key: body[key] for key in _DRAFT}
    current = naming.find(opened.api, name)
    edited = edition(given, None, current, Forms.of(form_of(opened, current.kind)), opened.surroundings)
    return current.label, {"id": current.id, "config": edited["config"], "credentials": edited["credentials"]}


_DRAFT = ("environment", "kind", "config", "credentials")


def _named(given: Given) -> Given:
    """A test needs no name; what makes the body of a creation does."""
    return Given(
        name="unsaved",
        environment=given.environment,
        kind=given.kind,
        fields=given.fields,
        secrets=given.secrets,
        beat={},
    )


def _of_files(opened: "Session", files: Sequence[str], only: Sequence[str]) -> list[Wish]:
    # the kinds cost 0.2 s, which `--help` need not pay
    from clearline.cli.declared.reader import chosen, read_declared  # noqa: PLC0415

    return list(_wishes(opened, chosen(read_declared(files, opened.surroundings), only)))


def _wishes(opened: "Session", items: "Sequence[Declared]") -> "Iterator[Wish]":
    """A declared connection that is saved already lends the secrets that its file does not hold."""
    from clearline.cli.declared.places import FaultsError  # noqa: PLC0415
    from clearline.cli.declared.reader import credentials_of  # noqa: PLC0415

    faults = []
    for item in items:
        body: dict[str, Any] = {"environment": item.environment, "kind": item.kind.name, "config": dict(item.config)}
        secrets, unread = item.secrets(frozenset(item.credentials))
        faults += unread
        saved = None if credentials_of(item)[0] is not None else naming.find_declared(opened.api, item)
        removed = {field: None for field, source in item.credentials.items() if source is None and saved is not None}
        yield (
            item.label,
            body | {"credentials": secrets | removed} | ({"id": saved.id} if saved is not None else {}),
        )
    if faults:
        raise FaultsError(faults)
