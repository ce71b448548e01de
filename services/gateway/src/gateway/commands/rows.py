"""Loads and stores the aggregate: the row is locked first, and every read after the lock is a statement of its own.

(A subquery beside `for update` would still see what was there before the wait for the lock.)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from clearline.catalogue import ClearlineError, FieldError
from clearline.contracts.connection import BeatPolicy
from gateway.commands.lifecycle import ExpectedVersion, check_version
from gateway.commands.profile import Contents, Profile, Proof, Sealed
from gateway.commands.work import Work
from gateway.read_model import sql
from gateway.read_model.pools import Connection


async def lock_profile(work: Work, connection_id: UUID, expected: ExpectedVersion = None) -> Profile:
    """Lock and load. Raises CONNECTION_NOT_FOUND, also for what the caller may not see, or CONNECTION_CHANGED."""
    row = await work.connection.fetchrow(sql("profile_lock"), connection_id)
    if row is None:
        raise ClearlineError("CONNECTION_NOT_FOUND", connection_id=str(connection_id))
    values: dict[str, Any] = dict(row)
    profile = Profile(**{**values, "beat": msgspec.convert(values["beat"], BeatPolicy)})
    check_version(profile, expected)
    return profile


@contextmanager
def _name_is_free(profile: Profile) -> Iterator[None]:
    """Turns the unique index's refusal into words. The index decides, so that no race lets two through."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "one_name_per_environment":
            raise
        name, environment = profile.name, profile.environment
        fault = FieldError.of("/name", "CONNECTION_NAME_TAKEN", name=name, environment=environment)
        raise ClearlineError(
            "CONNECTION_NAME_TAKEN", pointer="/name", errors=[fault], name=name, environment=environment
        ) from None


async def insert_profile(work: Work, profile: Profile) -> None:
    """Store a new connection; its row is locked by that. Raises CONNECTION_NAME_TAKEN."""
    with _name_is_free(profile):
        await work.connection.execute(
            sql("profile_insert"),
            *(profile.id, profile.name, profile.environment, profile.owner, profile.kind),
            *(msgspec.to_builtins(profile.beat), profile.revision, profile.sequence, work.now, work.by),
        )


async def update_profile(work: Work, profile: Profile) -> None:
    """Store a locked connection's new state and drop the credentials of revisions that no longer count."""
    with _name_is_free(profile):
        await work.connection.execute(
            sql("profile_update"),
            *(profile.id, profile.name, profile.owner, msgspec.to_builtins(profile.beat), profile.lifecycle),
            *(profile.revision, profile.live_revision, profile.live_verification_id, profile.last_live_revision),
            *(profile.sequence, work.now, work.by),
        )
    await work.connection.execute(sql("credentials_drop"), profile.id, sorted(profile.kept_revisions))


async def insert_revision(work: Work, profile: Profile, contents: Contents) -> None:
    """Store the newest revision's contents."""
    await work.connection.execute(
        sql("revision_insert"),
        *(profile.id, profile.environment, profile.revision, contents.config, contents.destination),
        *(work.now, work.by),
    )
    sealed = contents.credentials
    if sealed:
        await work.connection.execute(
            sql("credentials_insert"),
            *(profile.id, profile.environment, profile.revision, list(sealed)),
            *([each.key_id for each in sealed.values()], [each.sealed for each in sealed.values()]),
            [each.changed_at for each in sealed.values()],
        )


async def next_revision(work: Work, profile: Profile) -> int:
    """One more than the highest number ever given; a discarded one is never given again."""
    highest: int = await work.connection.fetchval(sql("revision_highest"), profile.id)
    return highest + 1


async def load_contents(work: Work, profile: Profile, revision: int) -> Contents:
    """Config and envelopes of one revision."""
    contents = await contents_of(work.connection, profile.id, revision)
    if contents is None:
        raise ClearlineError("REVISION_NOT_FOUND", connection_id=str(profile.id), revision=revision)
    return contents


async def contents_of(connection: Connection, connection_id: UUID, revision: int) -> Contents | None:
    """The same for whoever works without a caller; None where there is no such revision."""
    row = await connection.fetchrow(sql("revision_contents"), connection_id, revision)
    if row is None:
        return None
    rows = await connection.fetch(sql("revision_credentials"), connection_id, revision)
    credentials = {
        each["field"]: Sealed(key_id=each["key_id"], sealed=each["sealed"], changed_at=each["changed_at"])
        for each in rows
    }
    return Contents(config=row["config"], destination=row["destination"], credentials=credentials)


async def newest_proof(work: Work, profile: Profile, revision: int) -> Proof | None:
    """The newest finished verification of a revision, and what the database's clock says of it."""
    row = await work.connection.fetchrow(sql("newest_proof"), profile.id, revision)
    return None if row is None else Proof(**dict(row))
