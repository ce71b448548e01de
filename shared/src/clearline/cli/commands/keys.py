"""`clearline keys`: make, look at, rotate and take away the keys that credentials are sealed for (admins)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from clearline.cli.commands.options import Output
from clearline.cli.ends import ExitCode, WrongUseError
from clearline.cli.keyring import add_new_key, remove_key
from clearline.cli.keys_view import HEADERS, key_row, rotation_lines
from clearline.cli.session import Session, offline, session
from clearline.cli.surroundings import OutputForm

app = typer.Typer(help="The keys that credentials are sealed for, and their rotation.", no_args_is_help=True)
PAUSE = 1.0
"""Seconds between two looks at a rotation: the clock asks for a page every few seconds."""

PrivateFile = Annotated[
    Path,
    typer.Option("--private", metavar="FILE", help="Private keys, one a line, the current one first; made if missing."),
]


@app.command()
def new(context: typer.Context, *, private: PrivateFile) -> None:
    """Make a key pair: the private half goes to the top of FILE (0600), the public half is printed."""
    with offline(context, OutputForm.TABLE) as screen:
        identifier, public = add_new_key(context.obj.folder / private)
        screen.json({"key_id": identifier, "public_key": public})
        screen.note(f"The private half is the first line of {private}. Next, in this order:")
        screen.note("1. Give that file to every verifier (CLEARLINE_SEALING_PRIVATE_KEYS_FILE) and restart them.")
        screen.note("2. Set CLEARLINE_SEALING_PUBLIC_KEY of every gateway to public_key and restart them.")
        screen.note("3. clearline keys rotate --wait")


@app.command()
def status(context: typer.Context, *, output: Output = OutputForm.TABLE) -> None:
    """Show what is stored under which key, how far a rotation is, and which private key may go."""
    with session(context, output) as opened:
        _show(opened, opened.api.get("/keys").body)


@app.command()
def rotate(
    context: typer.Context,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Until every connection has answered.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long --wait waits.")] = 600,
    output: Output = OutputForm.TABLE,
) -> None:
    """Have every stored credential sealed for the current key. Exit 1 if some could not be, 2 if it goes on."""
    with session(context, output) as opened:
        seen = opened.api.get("/keys").body
        answered = opened.api.post("/keys:rotate", {"key_id": seen["current_key_id"]}).body
        if wait:
            answered = _follow(opened, answered, timeout)
        _show(opened, answered)
        rotation = answered["rotation"]
        if answered["envelopes_left"] == 0:
            raise typer.Exit(ExitCode.FINE)
        if rotation is None or rotation["status"] == "finished":
            raise typer.Exit(ExitCode.FAILED)
        raise typer.Exit(ExitCode.INCONCLUSIVE if wait else ExitCode.FINE)


@app.command()
def remove(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `keys status` shows it.")],
    *,
    private: PrivateFile,
) -> None:
    """Take a private key out of FILE, if nothing that is stored or on its way names it any more."""
    with session(context, OutputForm.TABLE) as opened:
        body = opened.api.get("/keys").body
        known = next((each for each in body["items"] if each["key_id"] == key_id), None)
        if known is not None and not known["removable"]:
            raise WrongUseError(f"Key {key_id} is still needed: {_needed(known)}.", "See: clearline keys status")
        left = remove_key(context.obj.folder / private, key_id)
        opened.screen.line(f"Key {key_id} is out of {private}; {left} left. Restart every verifier with the file.")


def _needed(known: dict[str, Any]) -> str:
    if known["current"]:
        return "the gateway seals for it"
    if known["envelopes"]:
        return f"{known['envelopes']} credentials are stored under it"
    return f"requests may name it until {known['removable_at'] or 'the outbox is empty'}"


def _follow(opened: Session, answered: dict[str, Any], timeout: float) -> dict[str, Any]:
    clock = opened.surroundings
    end = clock.monotonic() + timeout
    with opened.screen.quiet_progress("credentials are being sealed for the current key"):
        while answered["rotation"] and answered["rotation"]["status"] == "running" and clock.monotonic() < end:
            clock.sleep(PAUSE)
            answered = opened.api.get("/keys").body
    return answered


def _show(opened: Session, body: dict[str, Any]) -> None:
    if opened.screen.wants_json:
        opened.screen.json(body)
        return
    opened.screen.table(HEADERS, [key_row(each) for each in body["items"]])
    for line in rotation_lines(body):
        opened.screen.line(line)
