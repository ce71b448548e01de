"""`clearline apply`: make the gateway's connections as the files declare them."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from clearline.cli.commands import options
from clearline.cli.ends import ExitCode
from clearline.cli.session import Session, offline, session
from clearline.cli.surroundings import OutputForm, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearline.cli.applying.turn import Outcome, Wishes
    from clearline.cli.declared.declaration import Declared


def apply(
    context: typer.Context,
    *,
    files: options.Files,
    only: options.Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    replace_credentials: Annotated[
        bool, typer.Option("--replace-credentials", help="Send all credentials, also where some are stored.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Let `active: true` wait for the verification that it needs.")
    ] = True,
    timeout: options.Timeout = options.DEFAULT_TIMEOUT,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=32, help="How many at a time.")] = 4,
    output: options.Output = OutputForm.TABLE,
) -> None:
    """Make connections as files declare them; what is so already is left alone. Exit 1 if one fails."""
    # the kinds cost 0.2 s, which `--help` need not pay
    from clearline.cli import apply_view  # noqa: PLC0415
    from clearline.cli.applying.turn import Wishes  # noqa: PLC0415
    from clearline.cli.declared.reader import chosen, read_declared  # noqa: PLC0415
    from clearline.cli.declared.written_out import secrets_written_out  # noqa: PLC0415

    wishes = Wishes(replace_credentials=replace_credentials, wait=wait, timeout=timeout)
    surroundings: Surroundings = context.obj
    with offline(context, output):  # what is wrong with the files is told without any gateway
        read = read_declared(files, surroundings, secrets_needed=not (dry_run or only))
        items = chosen(read, only or ())
    with session(context, output) as opened:
        for warning in secrets_written_out(items):
            opened.screen.note(f"Warning: {warning}")
        outcomes, stopped = _carried_out(opened, items, wishes, parallel, dry_run=dry_run)
        if opened.screen.wants_json:
            opened.screen.json([apply_view.as_json(one) for one in outcomes])
        else:
            _show(opened, outcomes, dry_run=dry_run)
        if stopped:
            opened.screen.note("Stopped. What was begun is told above; apply again to finish.")
        raise typer.Exit(ExitCode.INTERRUPTED if stopped else apply_view.exit_code(outcomes))


def _carried_out(
    opened: Session, items: "Sequence[Declared]", wishes: "Wishes", parallel: int, *, dry_run: bool
) -> "tuple[list[Outcome], bool]":
    """What became of each, and whether the person pressed Ctrl-C before all had their turn."""
    from clearline.cli.applying import many, preparing  # noqa: PLC0415

    with many.stoppable(opened) as (patient, stopped), opened.screen.quiet_progress("applying"):
        try:
            outcomes = many.each(preparing.compared(patient, wishes), items, parallel, stopped)
        except KeyboardInterrupt:
            opened.screen.note("Nothing was changed.")
            raise
        secrets, warnings = preparing.secrets_of(outcomes, dry_run=dry_run)
        for warning in warnings:
            opened.screen.note(f"Warning: {warning}")
        if not dry_run:
            turns = [
                partial(_take, patient, wishes, outcome, given)
                for outcome, given in zip(outcomes, secrets, strict=True)
            ]
            try:
                many.each(lambda turn: turn(), turns, parallel, stopped)
            except KeyboardInterrupt:
                return outcomes, True
    return outcomes, False


def _take(patient: Session, wishes: "Wishes", outcome: "Outcome", secrets: dict[str, str]) -> None:
    from clearline.cli.applying.turn import Turn  # noqa: PLC0415

    if outcome.status == "planned":
        Turn(session=patient, wishes=wishes, outcome=outcome, secrets=secrets).take()


def _show(opened: Session, outcomes: "Sequence[Outcome]", *, dry_run: bool) -> None:
    from clearline.cli import apply_view  # noqa: PLC0415

    screen = opened.screen
    if dry_run:
        for line in apply_view.difference_lines(outcomes):
            screen.line(line)
    else:
        screen.table(apply_view.HEADERS, [apply_view.result_row(one) for one in outcomes if one.status != "planned"])
    for line in (*apply_view.trouble_lines(outcomes), apply_view.summary(outcomes, dry_run=dry_run)):
        screen.line(line)
    if told := apply_view.uncompared(outcomes):
        screen.note(told)
