"""`clearline check`: prove declared connections from this machine, with no stack at all."""

from pathlib import Path
from typing import Annotated

import typer

from clearline.cli.commands import options
from clearline.cli.ends import WrongUseError
from clearline.cli.session import offline
from clearline.cli.surroundings import OutputForm, Surroundings

DEFAULT_TIMEOUT = 60.0
"""Seconds for one connection, as the verifier has them."""


def check(
    context: typer.Context,
    *,
    files: options.Files,
    only: options.Only = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="How long one connection may take.")
    ] = DEFAULT_TIMEOUT,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=256, help="How many at a time.")] = 16,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="CIDR", help="Only these networks beside the public internet. Repeatable."),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a report for CI too.")] = None,
    output: options.Output = OutputForm.TABLE,
) -> None:
    """Prove connections from this machine: no stack needed, nothing is kept. Exit 1 if one fails."""
    # the kinds and the loop they dial on cost 0.2 s, which `--help` need not pay
    from clearline.cli import check_view, checking  # noqa: PLC0415
    from clearline.cli.declared.reader import chosen, read_declared  # noqa: PLC0415
    from clearline.cli.declared.written_out import secrets_written_out  # noqa: PLC0415

    surroundings: Surroundings = context.obj
    with offline(context, output) as screen:
        items = chosen(read_declared(files, surroundings, secrets_needed=not only), only or ())
        for warning in secrets_written_out(items):
            screen.note(f"Warning: {warning}")
        policy = checking.policy_of(allow or (), surroundings.environ)
        stopped = None
        with screen.quiet_progress("checking"):
            try:
                checked = checking.check_all(items, policy, checking.limits_of(timeout), parallel)
            except checking.StoppedError as interrupted:
                stopped, checked = interrupted, list(interrupted.checked)
        if junit is not None:
            _write(surroundings.folder / junit, check_view.junit(checked))
        if screen.wants_json:
            screen.json([one.as_json() for one in checked])
        else:
            screen.table(check_view.HEADERS, [check_view.check_row(one) for one in checked])
            for line in check_view.check_lines(checked):
                screen.line(line)
        if any(one.verdict.failure and one.verdict.failure.code == "ADDRESS_FORBIDDEN" for one in checked):
            screen.note("Networks that this command may dial are named with --allow CIDR.")
        if stopped is not None:
            raise stopped
        raise typer.Exit(checking.exit_code(checked))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise WrongUseError(f"{path} cannot be written: {error.strerror}.") from None
