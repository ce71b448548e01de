"""Pages of a list: a keyset cursor that says nothing to its holder and is refused when it fits no page of this list."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import msgspec

from clearline.catalogue import ClearlineError
from gateway.queries.reading import Json

MAX_CURSOR = 512
MAX_NUMBER = 2**63 - 1
KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


class TimeKey(msgspec.Struct, frozen=True, array_like=True):
    """Lists in order of time: the last row's time, and its id among rows of the same moment."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


class NumberKey(msgspec.Struct, frozen=True, array_like=True):
    """Lists in order of an ascending number."""

    number: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]


@dataclass(frozen=True, slots=True)
class Place(Generic[KeyT]):
    """Where a page begins: after `key`, in the list that these filters make."""

    key_type: type[KeyT]
    list_name: str
    filters: tuple[object, ...] = ()

    def read(self, cursor: str | None) -> KeyT | None:
        """The key in a cursor, None for the first page. Raises CURSOR_INVALID."""
        if cursor is None:
            return None
        try:
            padded = cursor[:MAX_CURSOR] + "=" * (-len(cursor) % 4)
            raw = base64.b64decode(padded, altchars=b"-_", validate=True)
            key = msgspec.json.decode(raw[len(self._stamp) :], type=self.key_type)
        except (ValueError, msgspec.MsgspecError):
            raise ClearlineError("CURSOR_INVALID") from None
        if not raw.startswith(self._stamp):
            raise ClearlineError("CURSOR_INVALID")
        return key

    def write(self, key: KeyT) -> str:
        """The cursor that leads past `key`."""
        return base64.urlsafe_b64encode(self._stamp + msgspec.json.encode(key)).rstrip(b"=").decode()

    def page(
        self, rows: Sequence[RowT], limit: int, key_of: Callable[[RowT], KeyT]
    ) -> tuple[Sequence[RowT], str | None]:
        """A page of `limit` rows out of up to one more, and the cursor to the next if there is one."""
        if len(rows) <= limit:
            return rows, None
        shown = rows[:limit]
        return shown, self.write(key_of(shown[-1]))

    @property
    def _stamp(self) -> bytes:
        """Ties a cursor to its list and filters: with others it would skip rows unseen."""
        return hashlib.sha256(repr((self.list_name, self.filters)).encode()).digest()[:4]


def listed(items: list[Json], next_cursor: str | None) -> Json:
    """A list as every endpoint answers it."""
    return {"items": items, "next_cursor": next_cursor}
