"""Facts that no projection can take, by two ways: deciding about them fails, or the database refuses them."""

from uuid import UUID

import pytest

from clearline.contracts.event import Event
from gateway.projections import verification_fold
from gateway.projections.verification_fold import Effects, Found

REFUSE = """
create function refuse() returns trigger language plpgsql as $$
begin raise exception 'not this one' using errcode = 'check_violation'; end $$;
create trigger refused before update on verifications for each row when (old.requested_by = 'poison')
  execute function refuse();
"""
_TAKE = verification_fold._take


class Undecidable:
    """Deciding about these very facts fails, and about all of these verifications."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.facts: list[Event] = []
        self.about: set[UUID] = set()
        monkeypatch.setattr(verification_fold, "_take", self._take)

    def _take(self, effects: Effects, verification_id: UUID, row: Found, event: Event) -> bool:
        if verification_id in self.about or any(event is each for each in self.facts):
            raise KeyError("a secret")
        return _TAKE(effects, verification_id, row, event)
