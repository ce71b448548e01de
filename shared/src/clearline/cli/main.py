"""Entry point: runs one command and turns every way it can end into an exit code and words for people."""

import errno
import re
import sys
from collections.abc import Sequence
from typing import TextIO

import typer

from clearline.cli.app import app
from clearline.cli.ends import ExitCode
from clearline.cli.surroundings import Surroundings, of_this_process, silence

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a file or device says that takes no more; our commands write nowhere but to their output."""
_TOO_MANY = "Got unexpected extra argument"
_NO_OPTION = "No such option"
_LIBRARYS = (
    (re.compile(r": (Value error, )?'.*' is not one of (.*)\.$", re.DOTALL), r": must be one of \2."),
    (re.compile(r": Input should be greater than or equal to "), ": must be at least "),
    (re.compile(r": Input should be less than or equal to "), ": must be at most "),
    (re.compile(r": Input should be a valid integer.*", re.DOTALL), ": must be a whole number."),
    (re.compile(r": Input should be a valid number.*", re.DOTALL), ": must be a number."),
)
"""What the framework says of a value, in plain words; the value itself is not repeated."""


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:], of_this_process()))


def run(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """Run one command; never raises."""
    err = surroundings.stderr
    try:
        _refuse_bytes(arguments)
        command = typer.main.get_command(app)
        code = command.main(args=list(arguments), prog_name="clearline", standalone_mode=False, obj=surroundings)
        surroundings.stdout.flush()
        if code == ExitCode.INTERRUPTED:  # what the framework makes of Ctrl-C
            err.write("\nInterrupted.\n")
        return int(code or ExitCode.FINE)
    except BrokenPipeError:
        silence(surroundings.stdout)
        return ExitCode.PIPE_CLOSED
    except SystemExit as end:  # the framework's own way out when the reader of `--help` has gone
        silence(surroundings.stdout)
        return end.code if isinstance(end.code, int) else ExitCode.PIPE_CLOSED
    except (KeyboardInterrupt, typer.Abort):
        err.write("\nInterrupted.\n")
        return ExitCode.INTERRUPTED
    except typer.TyperException as error:
        _tell_wrong_use(error, err)
        return ExitCode.INCONCLUSIVE
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody at a terminal and may show a secret
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            silence(surroundings.stdout)
            err.write(f"The output could not be written: {error.strerror}.\n")
        else:
            _tell_our_fault(error, err)
        return ExitCode.INCONCLUSIVE


def _refuse_bytes(arguments: Sequence[str]) -> None:
    """Bytes that are no text become surrogates, which no request and no output can hold."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        raise typer.TyperException(
            "An argument is not UTF-8 text. Type it in anew, or see that your terminal's locale is a UTF-8 one."
        ) from None


def _tell_wrong_use(error: typer.TyperException, err: TextIO) -> None:
    """What the parser says, but for arguments it did not expect: one of them may be a secret."""
    message = error.format_message()
    if message.startswith(_TOO_MANY):
        message = "There are more arguments than the command takes. If one of them was a secret, replace it."
    for theirs, ours in _LIBRARYS:
        message = theirs.sub(ours, message)
    where = getattr(error, "ctx", None)
    if where is None:
        err.write(f"{message}\n")
        return
    if not message.startswith("Usage:"):  # no command at all: the message is the whole help
        err.write(where.get_usage() + "\n")
    err.write(f"{message}\n" if message else "")
    if message.startswith(_NO_OPTION) and any(each.param_type_name == "argument" for each in where.command.params):
        err.write(f"If it is a name, write it behind two dashes: {where.command_path} -- -name\n")
    err.write(f"More: {where.command_path} --help\n")


def _tell_our_fault(error: Exception, err: TextIO) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
    err.write(
        f"This command has a fault of its own: {type(error).__name__} at {place}.\n"
        "Nothing is known about what was done. Report this line to Clearline's developers.\n"
    )
