"""The first statement of every request's transaction: from here on the database sees the caller, not the login."""

from datetime import datetime

from gateway.read_model.pools import Connection
from gateway.security.principal import Principal

_BEGIN = """
select set_config('role', $1, true), set_config('clearline.environments', $2, true),
       set_config('clearline.principal', $3, true), set_config('clearline.token', $4, true), clock_timestamp() as now
"""


async def assume(connection: Connection, principal: Principal) -> datetime:
    """Take the caller's role and environments until the transaction ends; returns the database's clock."""
    environments = ",".join(principal.environments)
    row = await connection.fetchrow(
        _BEGIN, f"clearline_{principal.role}", environments, principal.label, str(principal.id)
    )
    assert row is not None
    now: datetime = row["now"]
    return now
