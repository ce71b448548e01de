"""`clearline tokens`: who may talk to Clearline, and as what."""

import re
from enum import StrEnum
from typing import Annotated, Any

import typer

from clearline.cli.commands.options import Output
from clearline.cli.ends import WrongUseError
from clearline.cli.expiry import expiry
from clearline.cli.moments import moment, moment_of
from clearline.cli.session import Session, session
from clearline.cli.surroundings import OutputForm

app = typer.Typer(help="Make, list and revoke API tokens (admins only).", no_args_is_help=True)
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Role(StrEnum):
    """What a token may do: read, work on connections, or everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option("--name", help="Who or what will hold it.")],
    role: Annotated[Role, typer.Option("--role", help="viewer reads, operator works on connections, admin all.")],
    environment: Annotated[
        list[str] | None,
        typer.Option("--environment", help="Where it holds; wherever yours does if left out. Repeatable."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="30d, 12h, or a time; never if left out.")
    ] = None,
) -> None:
    """Make a token and print {"id", "token"} once: it cannot be read again."""
    with session(context, OutputForm.TABLE) as opened:  # a refusal is for the person who types this
        body: dict[str, Any] = {"name": name, "role": role.value}
        if environment:
            body["environments"] = environment
        if expires is not None:
            body["expires_at"] = expiry(expires, opened.surroundings.now()).isoformat()
        answer = opened.api.post("/tokens", body).body
        opened.screen.json({"id": answer["id"], "token": answer["token"]})
        opened.screen.note("This is the only time that the token is shown. Store it now.")


@app.command("list")
def list_tokens(context: typer.Context, *, output: Output = OutputForm.TABLE) -> None:
    """List tokens; never their text."""
    with session(context, output) as opened:
        found = list(opened.api.items("/tokens"))
        if opened.screen.wants_json:
            opened.screen.json({"items": found, "next_cursor": None})
            return
        headers = ("ID", "NAME", "ROLE", "ENVIRONMENTS", "CREATED", "EXPIRES", "STATE", "LAST USED")
        opened.screen.table(headers, [_row(opened, one) for one in found])


@app.command()
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name if only one is called so.")],
    *,
    last_too: Annotated[
        bool, typer.Option("--last-too", help="Also the last admin's token of an environment, which is refused else.")
    ] = False,
) -> None:
    """End a token at once."""
    with session(context, OutputForm.TABLE) as opened:
        identifier = token if _ID.fullmatch(token) else _id_of(opened, token)
        opened.api.delete(f"/tokens/{identifier}" + ("?last_too=true" if last_too else ""))
        opened.screen.line(f"Token {identifier} is revoked.")


def _id_of(opened: Session, name: str) -> str:
    named = [one for one in opened.api.items("/tokens") if one["name"] == name and not one.get("revoked_at")]
    match named:
        case [one]:
            return str(one["id"])
        case []:
            raise WrongUseError("No token that still holds has this name.", "See them: clearline tokens list")
        case _:
            raise WrongUseError(
                f"{len(named)} tokens have this name.", *(f"Revoke it by its id: {one['id']}" for one in named)
            )


def _row(opened: Session, one: dict[str, Any]) -> tuple[str, ...]:
    expires, revoked = moment_of(one.get("expires_at")), one.get("revoked_at")
    ended = expires is not None and expires <= opened.surroundings.now()
    return (
        one["id"],
        one["name"],
        one["role"],
        ",".join(one.get("environments", [])),
        moment(one.get("created_at")),
        moment(expires),
        "revoked" if revoked else "expired" if ended else "valid",
        moment(one.get("last_used_at")),
    )
