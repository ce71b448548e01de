"""The tokens that the caller may manage. What they are is never told: only a hash is there."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.queries.page import Place, TimeKey, listed
from gateway.queries.reading import Json, Reading, Row
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class TokenById:
    """One token, valid or not."""

    token_id: UUID

    async def run(self, reading: Reading) -> Json:
        """The token. Raises TOKEN_NOT_FOUND."""
        row = await reading.connection.fetchrow(sql("token_by_id"), self.token_id)
        if row is None:
            raise ClearlineError("TOKEN_NOT_FOUND")
        return _shown(row, reading.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTokens:
    """Every token within the caller's environments, newest first; revoked and expired ones too."""

    limit: int
    cursor: str | None = None

    async def run(self, reading: Reading) -> Json:
        """A page of tokens."""
        place = Place(TimeKey, "tokens")
        after = place.read(self.cursor)
        rows = await reading.connection.fetch(
            sql("tokens_page"), after and after.at, after and after.id, self.limit + 1
        )
        page, following = place.page(rows, self.limit, lambda row: TimeKey(row["created_at"], row["id"]))
        return listed([_shown(row, reading.now) for row in page], following)


def _shown(row: Row, now: datetime) -> Json:
    """With its state by the database's clock: withdrawn, run out, or good."""
    ended = row["expires_at"] is not None and row["expires_at"] <= now
    return {**row, "state": "revoked" if row["revoked_at"] else "expired" if ended else "valid"}
