"""What every command starts with: a target, a conversation with the gateway, a screen, and errors told to people."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from clearline.cli.ends import CommandError, ExitCode, WrongUseError
from clearline.cli.problem_view import error_lines, problem_body
from clearline.cli.surroundings import OutputForm, Surroundings, silence
from clearline.cli.target import Target, find_target

if TYPE_CHECKING:
    from clearline.cli.api import Api
    from clearline.cli.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's way to the gateway and to the person."""

    surroundings: Surroundings
    target: Target
    api: "Api"
    screen: "Screen"


@contextmanager
def session(context: typer.Context, output: OutputForm, *, token_needed: bool = True) -> Iterator[Session]:
    """Open what a command needs; end it with the exit code that fits when it cannot do what was asked."""
    # httpx2 costs 0.1 s: `--help` and what needs no gateway do without it
    from clearline.cli.api import Api, need_token  # noqa: PLC0415

    surroundings: Surroundings = context.obj
    with offline(context, output) as screen:
        target = find_target(surroundings.environ, surroundings.folder, surroundings.uid)
        if token_needed:  # who does without looks at all of this by itself
            for warning in target.warnings:
                screen.note(f"Warning: {warning}")
            need_token(target)
        api = Api(target, f"cli-{surroundings.new_id()}", surroundings.transport, surroundings.sleep)
        try:
            yield Session(surroundings=surroundings, target=target, api=api, screen=screen)
        finally:
            api.close()


@contextmanager
def offline(context: typer.Context, output: OutputForm) -> Iterator["Screen"]:
    """The screen of a command that needs no gateway, and errors told to people in every command."""
    from clearline.cli.screen import Screen  # noqa: PLC0415 - rich costs 0.1 s, which `--help` need not pay

    surroundings: Surroundings = context.obj
    screen = Screen(surroundings, output)
    try:
        yield screen
    except CommandError as error:
        raise _told(screen, error) from None
    except ModuleNotFoundError as error:  # the forms and what dials are extras of the distribution
        lacking = WrongUseError(
            f"This installation of the command lacks the module {error.name}.",
            "Install it with what dials: clearline[cli,probes]",
        )
        raise _told(screen, lacking) from None
    except BrokenPipeError:  # the framework would make it exit code 1, which says that the thing failed
        silence(surroundings.stdout)
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None


def _told(screen: "Screen", error: CommandError) -> typer.Exit:
    """Say why the command ends, and how it does."""
    if screen.wants_json:
        screen.json(problem_body(error), error=True)
    else:
        for line in error_lines(error):
            screen.note(line)
    return typer.Exit(error.exit_code)
