"""What one question is given: a transaction with the caller's rights, and the database's clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import asyncpg

from gateway.read_model.pools import Connection
from gateway.security.principal import Caller

R_co = TypeVar("R_co", covariant=True)
Row = asyncpg.Record
Json = dict[str, Any]
"""A body as the API tells it; its model in `gateway.api` says which fields it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One question in its transaction."""

    connection: Connection
    caller: Caller
    now: datetime
    """The database's clock: every expiry is compared with it."""


class Question(Protocol[R_co]):
    """Something to be answered from the read models."""

    async def run(self, reading: Reading) -> R_co: ...
