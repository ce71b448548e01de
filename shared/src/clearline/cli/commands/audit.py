"""`clearline audit`: who did what and when, with what it was before and after."""

from typing import Annotated

import typer

from clearline.cli import naming
from clearline.cli.commands.options import Output
from clearline.cli.connection_view import AUDIT_HEADERS, audit_row
from clearline.cli.expiry import ago
from clearline.cli.session import session
from clearline.cli.surroundings import OutputForm


def audit(
    context: typer.Context,
    *,
    connection: Annotated[str | None, typer.Option("--connection", metavar="NAME", help="Only about this one.")] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", help="Only by this token: its id, or the name as entries show it.")
    ] = None,
    action: Annotated[str | None, typer.Option("--action", help="For example connection.edited.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="All that the request with this reference did.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="WHEN", help="7d, 12h, or a time.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="7d, 12h, or a time.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    output: Output = OutputForm.TABLE,
) -> None:
    """Show who did what and when, newest first (operators and admins)."""
    with session(context, output) as opened:
        now = opened.surroundings.now()
        filters = {
            "connection_id": naming.find(opened.api, connection).id if connection else None,
            "actor": actor,
            "action": action,
            "correlation_id": reference,
            "since": ago(since, now, "--since").isoformat() if since else None,
            "until": ago(until, now, "--until").isoformat() if until else None,
        }
        entries = list(opened.api.items("/audit", limit, **filters))
        if opened.screen.wants_json:
            opened.screen.json({"items": entries, "next_cursor": None})
        else:
            opened.screen.table(AUDIT_HEADERS, [audit_row(entry) for entry in entries])
            if not entries:
                opened.screen.note("No entry fits.")
