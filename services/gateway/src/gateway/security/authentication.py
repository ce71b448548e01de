"""From the text of a token to its principal, through the one database function that may look."""

from clearline.catalogue import ClearlineError
from gateway.read_model.pools import Connection
from gateway.security.principal import Principal
from gateway.security.tokens import hash_token, looks_like_token

_AUTHENTICATE = "select id, name, role, environments, expired, revoked from authenticate($1)"


async def authenticate(connection: Connection, text: str) -> Principal:
    """The holder of `text`. Raises NOT_AUTHENTICATED, TOKEN_REVOKED or TOKEN_EXPIRED."""
    if not looks_like_token(text):
        raise ClearlineError("NOT_AUTHENTICATED", why="the bearer token does not have the form of one")
    row = await connection.fetchrow(_AUTHENTICATE, hash_token(text))
    if row is None:
        raise ClearlineError("NOT_AUTHENTICATED", why="no such token")
    if row["revoked"]:
        raise ClearlineError("TOKEN_REVOKED")
    if row["expired"]:
        raise ClearlineError("TOKEN_EXPIRED")
    return Principal(id=row["id"], name=row["name"], role=row["role"], environments=tuple(row["environments"]))
