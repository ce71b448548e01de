"""Leaves the traces of a change in its own transaction: the row, the event, the audit and a notice for live pages."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from clearline.contracts.connection import Environment
from clearline.contracts.event import EventType
from clearline.contracts.topics import CONNECTIONS
from gateway.commands.profile import Contents, Profile
from gateway.commands.rows import update_profile
from gateway.commands.work import Work
from gateway.read_model import sql
from gateway.read_model.changes import Change, tell
from gateway.read_model.connection_state import load_state

Picture = dict[str, Any]


async def record_change(
    work: Work, after: Profile, event_type: EventType, *, action: str, seen_before: Picture, seen_after: Picture
) -> None:
    """Store a locked connection's new state and tell it."""
    await update_profile(work, after)
    await tell_connection(work, after, event_type)
    await write_audit(
        work, action, "connection", after.id, environment=after.environment, before=seen_before, after=seen_after
    )


async def tell_connection(work: Work, profile: Profile, event_type: EventType) -> None:
    """The whole state as it is now, to the bus and to live pages. All rows are written before."""
    state, *_ = await load_state(work.connection, profile.id)
    await work.publish(CONNECTIONS, event_type, profile.id, state, sequence=profile.sequence)
    await tell_pages(work, event_type, profile, profile.sequence)


async def tell_pages(work: Work, event_type: EventType, profile: Profile, version: int | None = None) -> None:
    """Wake whoever looks at this connection; the page reads the rest with its own rights."""
    await tell(work.connection, [Change.of(event_type, profile.id, profile.environment, version)])


async def write_audit(
    work: Work,
    action: str,
    object_type: str,
    object_id: UUID,
    *,
    environment: Environment | None,
    before: Picture | None = None,
    after: Picture | None = None,
) -> None:
    """Who did what, with what it was before and is after. Secrets are words here, never themselves."""
    await work.connection.execute(
        sql("audit_insert"),
        *(work.by, action, object_type, str(object_id), environment, work.caller.correlation_id, before, after),
    )


def picture(profile: Profile, contents: Contents | None = None, fresh: Mapping[str, str] | None = None) -> Picture:
    """What the audit shows of a connection: settings, state, and with `contents` its config and which secrets exist."""
    shown: Picture = {
        "name": profile.name,
        "owner": profile.owner,
        "beat": msgspec.to_builtins(profile.beat),
        "lifecycle": profile.lifecycle,
        "revision": profile.revision,
        "live_revision": profile.live_revision,
    }
    if contents is not None:
        shown["config"] = dict(contents.config)
        shown["credentials"] = {
            name: "changed" if name in (fresh or {}) else "stored" for name in sorted(contents.credentials)
        }
    return shown


def difference(before: Picture, after: Picture) -> tuple[Picture, Picture]:
    """Only what a change changed."""
    changed = [key for key in after if before.get(key) != after[key]]
    return {key: before[key] for key in changed if key in before}, {key: after[key] for key in changed}
