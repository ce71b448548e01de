"""Rule 1 as the database holds it: nobody makes a connection active whose live revision was not proven."""

from uuid import UUID, uuid4

import asyncpg
import pytest
from services.gateway.tests.migrated import (
    LOGINS,
    MigratedDatabase,
    add_connection,
    add_revision,
    add_verification,
    succeed,
)

ACTIVATE = (
    "update service_connection_profiles set lifecycle = 'active', live_revision = $2, live_verification_id = $3 "
    "where id = $1"
)
REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)


async def test_a_proven_revision_goes_live(owner: asyncpg.Connection) -> None:
    connection_id = await add_connection(owner)
    verification_id = await add_verification(owner, connection_id)
    await succeed(owner, verification_id)
    await owner.execute(ACTIVATE, connection_id, 1, verification_id)
    assert await owner.fetchval("select live_outcome from service_connection_profiles") == "verified"


@pytest.mark.parametrize("outcome", ["pending", "failed", "missing", "other revision", "other connection"])
async def test_not_even_the_owner_activates_what_was_not_proven(owner: asyncpg.Connection, outcome: str) -> None:
    connection_id = await add_connection(owner)
    verification_id = await _unfit(owner, connection_id, outcome)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute(ACTIVATE, connection_id, 1, verification_id)


async def _unfit(owner: asyncpg.Connection, connection_id: UUID, outcome: str) -> UUID | None:
    match outcome:
        case "missing":
            return None
        case "other revision":
            await add_revision(owner, connection_id, 2)
            verification_id = await add_verification(owner, connection_id, revision=2)
            await succeed(owner, verification_id)
        case "other connection":
            verification_id = await add_verification(owner, await add_connection(owner))
            await succeed(owner, verification_id)
        case "failed":
            verification_id = await add_verification(owner, connection_id)
            await owner.execute(
                "update verifications set outcome = 'failed', completed_at = now(), failure = '{}' where id = $1",
                verification_id,
            )
        case _:
            verification_id = await add_verification(owner, connection_id)
    return verification_id


async def test_a_proof_that_is_in_use_stays(owner: asyncpg.Connection) -> None:
    connection_id = await add_connection(owner)
    verification_id = await add_verification(owner, connection_id)
    await succeed(owner, verification_id)
    await owner.execute(ACTIVATE, connection_id, 1, verification_id)
    for statement in ("update verifications set outcome = 'failed', failure = '{}', expires_at = null",
                      "update verifications set expires_at = now()", "delete from verifications"):  # fmt: skip
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)


ATTEMPTS = {
    "activate unproven": ACTIVATE,
    "write the outcome": (
        "insert into verifications (id, connection_id, environment, revision, outcome, why, correlation_id, "
        "requested_at, requested_by, deadline, completed_at, expires_at) "
        "select $3, $1, 'development', $2, 'verified', 'manual', 'c', now(), 'me', now(), now(), now() + interval '1 d'"
    ),
    "end a pending one": (
        "update verifications set outcome = 'verified', completed_at = now(), expires_at = now() + interval '1 day' "
        "where connection_id = $1 and revision = $2 and id <> $3"
    ),
    "change the revision": "update connection_revisions set config = '{}' where connection_id = $1 and revision = $2 "
    "and $3::uuid is not null",
    "move to another kind": "update service_connection_profiles set kind = 'http' where id = $1 and revision = $2 "
    "and $3::uuid is not null",
}


@pytest.mark.parametrize("role", ["clearline_viewer", "clearline_operator", "clearline_admin"])
async def test_no_role_of_a_request_gets_around_it(
    migrated: MigratedDatabase, owner: asyncpg.Connection, role: str
) -> None:
    connection_id = await add_connection(owner)
    await add_verification(owner, connection_id)
    async with migrated.connect("clearline_api") as api:
        for attempt in ATTEMPTS.values():
            with pytest.raises(REFUSED):
                await _as(api, role, attempt, connection_id)
    assert await owner.fetchval("select lifecycle from service_connection_profiles") == "inactive"


async def _as(api: asyncpg.Connection, role: str, statement: str, connection_id: UUID) -> None:
    async with api.transaction():
        await api.execute(
            "select set_config('role', $1, true), set_config('clearline.environments', 'development', true)", role
        )
        await api.execute(statement, connection_id, 1, uuid4())


async def test_no_login_activates(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    connection_id = await add_connection(owner)
    verification_id = await add_verification(owner, connection_id)
    await succeed(owner, verification_id)
    for login in LOGINS:
        async with migrated.connect(login) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(ACTIVATE, connection_id, 1, verification_id)
