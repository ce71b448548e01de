"""What every list takes and answers."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from gateway.api.values import Answer, Cursor, Limit

ItemT = TypeVar("ItemT")
DEFAULT_LIMIT = 50


class Paging(BaseModel):
    """Query of a list. An unknown parameter is refused: a misspelt filter would show too much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class Page(Answer, Generic[ItemT]):
    """A page of a list."""

    items: list[ItemT]
    next_cursor: str | None
