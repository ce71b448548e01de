"""`clearline tokens`: who may talk to Clearline, and as what."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from clearline.cli.commands.options import Output
from clearline.cli.ends import RefusedError, WrongUseError
from clearline.cli.expiry import expiry
from clearline.cli.moments import moment, moment_of
from clearline.cli.session import Session, session
from clearline.cli.surroundings import OutputForm

app = typer.Typer(help="Make, list and revoke API tokens (admins only).", no_args_is_help=True)
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NOT_FOUND = 404


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
        query = "?last_too=true" if last_too else ""
        identifier = token if _ID.fullmatch(token) and _revoked(opened, token, query) else _id_of(opened, token)
        if identifier != token:
            opened.api.delete(f"/tokens/{identifier}{query}")
        opened.screen.line(f"Token {identifier} is revoked.")


def _revoked(opened: Session, identifier: str, query: str) -> bool:
    """Whether it was one of that id; a name may look like an id too."""
    try:
        opened.api.delete(f"/tokens/{identifier}{query}")
    except RefusedError as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        return False
    return True


def _id_of(opened: Session, name: str) -> str:
    """Of the one token of this name that holds. Two may have one name: the new one is made before the old one goes."""
    wanted, now = unicodedata.normalize("NFC", name), opened.surroundings.now()
    named = [one for one in opened.api.items("/tokens") if one["name"] == wanted and _state(one, now) == "valid"]
    match named:
        case [one]:
            return str(one["id"])
        case []:
            raise WrongUseError("No token that still holds has this name.", "See them: clearline tokens list")
        case _:
            raise WrongUseError(
                f"{len(named)} tokens that hold have this name. Revoke one by its id.",
                *(
                    f"{one['id']}: {one['role']}, created {moment(one.get('created_at'))}, "
                    f"last used {moment(one.get('last_used_at'))}"
                    for one in named
                ),
            )


def _row(opened: Session, one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["id"],
        one["name"],
        one["role"],
        ",".join(one.get("environments", [])),
        moment(one.get("created_at")),
        moment(one.get("expires_at")),
        _state(one, opened.surroundings.now()),
        moment(one.get("last_used_at")),
    )


def _state(one: dict[str, Any], now: datetime) -> str:
    expires = moment_of(one.get("expires_at"))
    return "revoked" if one.get("revoked_at") else "expired" if expires is not None and expires <= now else "valid"
