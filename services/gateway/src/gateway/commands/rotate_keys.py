"""Begins a rotation: everything that is stored shall be sealed for the gateway's key. The clock asks, page by page."""

from dataclasses import dataclass

import asyncpg

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import ENVIRONMENTS
from gateway.commands.record import write_audit
from gateway.commands.work import Work
from gateway.read_model import sql

_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('clearline key rotation'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKeys:
    """Seal all for the current key. One that is under way is the answer already, and so is nothing to do."""

    key_id: str | None = None
    """The key that the caller believes to be current."""

    async def run(self, work: Work) -> None:
        """Raises SEALING_KEY_CHANGED, or NOT_ALLOWED for a token that does not hold everywhere."""
        current = work.tools.sealer.key_id
        if self.key_id is not None and self.key_id != current:
            raise ClearlineError("SEALING_KEY_CHANGED", pointer="/key_id", key_id=self.key_id, current_key_id=current)
        if beyond := sorted(set(ENVIRONMENTS) - set(work.caller.principal.environments)):
            raise ClearlineError("NOT_ALLOWED", role="admin", environment=beyond[0])
        await work.connection.execute(_ONE_AT_A_TIME)
        last = await work.connection.fetchrow(sql("key_rotation_progress"))
        left = {row["key_id"]: row["envelopes"] for row in await work.connection.fetch(sql("sealing_key_census"))}
        left.pop(current, None)
        if not _goes_on(last, current) and any(left.values()):
            await _begin(work, current, {key: count for key, count in left.items() if count})


def _goes_on(last: asyncpg.Record | None, current: str) -> bool:
    return last is not None and last["key_id"] == current and (last["asked_at"] is None or last["pending"] > 0)


async def _begin(work: Work, current: str, left: dict[str, int]) -> None:
    rotation_id = work.tools.new_id()
    await work.connection.execute(sql("key_rotation_supersede"), work.now)
    await work.connection.execute(
        sql("key_rotation_insert"), rotation_id, current, work.caller.correlation_id, work.now, work.by
    )
    await write_audit(
        work,
        "keys.rotation_requested",
        "key_rotation",
        rotation_id,
        environment=None,
        before={"envelopes": left},
        after={"key_id": current},
    )
