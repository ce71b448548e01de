"""`clearline verify`, and the waiting that `connections create` and `edit` share with it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearline.cli import naming, waiting
from clearline.cli.answers import Connection, Verification, VerificationQueued
from clearline.cli.commands.options import DEFAULT_TIMEOUT, Name, Output, Timeout, Wait
from clearline.cli.ends import ExitCode
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm
from clearline.cli.verification_view import step_lines, verdict_lines

if TYPE_CHECKING:
    from clearline.cli.session import Session


def verify(
    context: typer.Context,
    name: Name,
    *,
    revision: int | None = typer.Option(None, min=1, help="Which revision; the newest if left out."),
    wait: Wait = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the one that is running instead.")] = False,
    timeout: Timeout = DEFAULT_TIMEOUT,
    output: Output = OutputForm.TABLE,
) -> None:
    """Prove that a connection works: resolve, connect, tls, authenticate, authorize, exercise."""
    with session(context, output) as opened:
        connection = naming.find(opened.api, name)
        if cancel:
            _cancel(opened, connection)
            return
        body = None if revision is None else {"revision": revision}
        reply = opened.api.post(f"/connections/{connection.id}/verify", body)
        queued = read(VerificationQueued, reply.body)
        if wait:
            raise typer.Exit(watch(opened, connection.id, queued.verification_id, queued.correlation_id, timeout))
        if opened.screen.wants_json:
            opened.screen.json(reply.body)
        else:
            opened.screen.line(f"Verification {queued.verification_id} of {connection.label} is queued.")
            opened.screen.note(f"Its result: clearline connections show {connection.argument}")


def watch(
    opened: "Session", connection_id: str, verification_id: str, correlation_id: str | None, timeout: float
) -> ExitCode:
    """Show a verification until it ends; with `--output json` print it once, as it ended."""
    seen, body = followed(opened, connection_id, verification_id, correlation_id, timeout)
    if opened.screen.wants_json:
        opened.screen.json(body)
    return waiting.exit_code(seen)


def followed(
    opened: "Session", connection_id: str, verification_id: str, correlation_id: str | None, timeout: float
) -> tuple[Verification, dict[str, Any]]:
    """The verification when it has ended or the time is over; its steps are shown as they come."""
    path = f"/connections/{connection_id}/verifications/{verification_id}"
    try:
        seen, body = growing(opened, path, correlation_id, timeout, "verifying")
    except KeyboardInterrupt:
        opened.screen.note("The verification goes on. Its result: clearline connections show " + connection_id)
        opened.screen.note(f"To end it: clearline verify {connection_id} --cancel")
        raise
    if seen.status == "pending" and not opened.screen.wants_json:
        opened.screen.note(f"Waited {timeout:g} s. The verification goes on; wait longer with --timeout.")
        if not seen.steps:
            opened.screen.note("No step of it has ended yet. Whether anybody verifies: clearline doctor")
    return seen, body


def growing(
    opened: "Session", path: str, correlation_id: str | None, timeout: float, doing: str
) -> tuple[Verification, dict[str, Any]]:
    """The verification or test at `path` when it has ended or the time is over, its steps shown as they come."""
    if opened.screen.wants_json:
        return waiting.follow(opened, path, timeout, lambda _seen: None)
    with opened.screen.progress(doing) as progress:
        seen, body = waiting.follow(opened, path, timeout, lambda seen: progress.show(step_lines(seen)))
        progress.show([*step_lines(seen), *verdict_lines(seen, correlation_id)], over=True)
    return seen, body


def _cancel(opened: "Session", connection: Connection) -> None:
    """Of the newest revision: the one that `connections show` shows."""
    running = connection.verification
    if running is None or running.status != "pending":
        opened.screen.note(f"No verification of {connection.label} is running.")
        return
    reply = opened.api.delete(f"/connections/{connection.id}/verifications/{running.id}")
    if opened.screen.wants_json:
        opened.screen.json(reply.body)
    else:
        opened.screen.line(f"The verification of {connection.label} is being cancelled.")
