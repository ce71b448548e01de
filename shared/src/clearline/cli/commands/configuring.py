"""`clearline connections create` and `edit`: each saves a revision, whose verification starts by itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clearline.cli import naming
from clearline.cli.answers import Connection
from clearline.cli.commands import options
from clearline.cli.commands.kinds import form_of
from clearline.cli.commands.verifying import followed
from clearline.cli.configuration import Forms, Given, creation, edition, required, send_asking
from clearline.cli.document import Item, read_item
from clearline.cli.ends import ExitCode, RefusedError, WrongUseError
from clearline.cli.reading import read
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm
from clearline.cli.waiting import exit_code

if TYPE_CHECKING:
    from clearline.cli.api import Reply
    from clearline.cli.session import Session

DegradedAfter = Annotated[
    int | None, typer.Option("--degraded-after-ms", metavar="MS", help="A slower good beat counts as degraded.")
]


def create(
    context: typer.Context,
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Unique in its environment.")] = None,
    environment: options.Environment = None,
    kind: options.Kind = None,
    owner: options.Owner = None,
    fields: options.SetFields = None,
    secrets: options.Secrets = None,
    file: options.File = None,
    beat_interval: options.BeatInterval = None,
    beat_timeout: options.BeatTimeout = None,
    failure_threshold: options.FailureThreshold = None,
    recovery_threshold: options.RecoveryThreshold = None,
    degraded_after_ms: DegradedAfter = None,
    wait: options.Wait = False,
    timeout: options.Timeout = options.DEFAULT_TIMEOUT,
    output: options.Output = OutputForm.TABLE,
) -> None:
    """Configure a new connection. Its first verification starts at once; --wait shows it."""
    given = Given(
        name=name,
        environment=environment,
        kind=kind,
        owner=owner,
        fields=fields or (),
        secrets=secrets or (),
        beat=_beat(beat_interval, beat_timeout, failure_threshold, recovery_threshold, degraded_after_ms),
    )
    with session(context, output) as opened:
        item = _item_of(opened, file, name) if file else Item()
        forms = Forms.of(form_of(opened, required(kind or item.kind, "--kind")))
        required(name or item.name, "--name")
        draft = creation(given, item, forms, opened.surroundings)
        reply = send_asking(opened, draft, lambda complete: opened.api.post("/connections", complete.to_save()))
        _say_if_meant_active(opened, item)
        _finish(opened, reply, "is created.", timeout if wait else None)


def edit(
    context: typer.Context,
    name: options.Name,
    *,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="A new name.")] = None,
    owner: options.Owner = None,
    fields: options.SetFields = None,
    unset: options.Unset = None,
    secrets: options.Secrets = None,
    removed_secrets: Annotated[
        list[str] | None, typer.Option("--remove-secret", metavar="FIELD", help="Forget it. Repeatable.")
    ] = None,
    file: options.File = None,
    beat_interval: options.BeatInterval = None,
    beat_timeout: options.BeatTimeout = None,
    failure_threshold: options.FailureThreshold = None,
    recovery_threshold: options.RecoveryThreshold = None,
    degraded_after_ms: DegradedAfter = None,
    wait: options.Wait = False,
    timeout: options.Timeout = options.DEFAULT_TIMEOUT,
    output: options.Output = OutputForm.TABLE,
) -> None:
    """Change a connection. What is live stays live until the new revision is verified and activated."""
    given = Given(
        name=new_name,
        owner=owner,
        fields=fields or (),
        unset=unset or (),
        secrets=secrets or (),
        removed_secrets=removed_secrets or (),
        beat=_beat(beat_interval, beat_timeout, failure_threshold, recovery_threshold, degraded_after_ms),
    )
    with session(context, output) as opened:
        if given.nothing and file is None:
            raise WrongUseError("Nothing to change was given.", "For example: --set port=5433, or -f FILE.")

        path = f"/connections/{naming.find(opened.api, name).id}"
        before = opened.api.get(path)
        current = read(Connection, before.body)
        item = _item_of(opened, file, current.name) if file else None
        draft = edition(given, item, current, Forms.of(form_of(opened, current.kind)), opened.surroundings)
        try:
            reply = send_asking(
                opened, draft, lambda complete: opened.api.put(path, complete.to_save(), etag=before.etag)
            )
        except RefusedError as refused:
            if refused.problem.code == "CONNECTION_CHANGED":
                opened.screen.note("Somebody else changed it since it was read a moment ago; your edit was not saved.")
            raise
        after = read(Connection, reply.body)
        if after.revision == current.revision:
            changed = "is unchanged" if reply.etag == before.etag else "has new settings, which hold at once"
            _finish(opened, reply, f"{changed}; revision {after.revision} stays.", None)
        else:
            _finish(opened, reply, f"has a new revision, {after.revision}.", timeout if wait else None)


def _finish(opened: "Session", reply: "Reply", done: str, wait: float | None) -> None:
    """Say what was saved; with `wait` show its verification and end with its exit code."""
    now = read(Connection, reply.body)
    if not opened.screen.wants_json:
        opened.screen.line(f"{now.label} {done}")
        if now.staged_revision is not None:
            opened.screen.line(f"Revision {now.live_revision} stays live; {now.staged_revision} is staged beside it.")
    code, body = ExitCode.FINE, reply.body
    if wait is not None and now.verification is not None:
        seen, _ = followed(opened, now.id, now.verification.id, reply.correlation_id, wait)
        code = exit_code(seen)
        if opened.screen.wants_json:
            body = opened.api.get(f"/connections/{now.id}").body
        elif code is ExitCode.FINE:
            opened.screen.note(f"Let it go live: clearline activate {now.argument}")
    if opened.screen.wants_json:
        opened.screen.json(body)
    raise typer.Exit(code)


def _item_of(opened: "Session", file: Path, name: str | None) -> Item:
    folder = opened.surroundings.folder
    return read_item(folder / file, name, folder)


def _beat(
    interval: int | None, timeout: int | None, failures: int | None, successes: int | None, degraded: int | None
) -> Mapping[str, int | None]:
    return {
        "interval_seconds": interval,
        "timeout_seconds": timeout,
        "failure_threshold": failures,
        "recovery_threshold": successes,
        "degraded_after_ms": degraded,
    }


def _say_if_meant_active(opened: "Session", item: Item) -> None:
    if item.active:
        opened.screen.note("The file says active: true. Creating does not activate; do so once it is verified.")
