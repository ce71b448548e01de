"""Facts about unsaved values: into the test's rows alone, once, and without a trace where those are gone."""

from uuid import uuid4

import asyncpg
from services.gateway.tests.facts import failed, progressed, verified
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_test, add_verification
from services.gateway.tests.projections.projecting import projecting


async def steps(owner: asyncpg.Connection) -> list[str]:
    told = await owner.fetchval("select steps from connection_tests")
    return [told[number]["name"] for number in sorted(told, key=int)]


async def test_a_test_goes_step_by_step_to_its_one_end(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    test_id = await add_test(owner)
    async with projecting(migrated) as projector:
        await projector.take(progressed(test_id, 0, revision=None), progressed(test_id, 1, revision=None))
        assert await steps(owner) == ["resolve", "connect"]
        assert await owner.fetchval("select outcome from connection_tests") == "pending"
        await projector.take(verified(test_id, steps=3, revision=None))
        await projector.take(failed(test_id, revision=None), progressed(test_id, 5, revision=None))
        assert projector.count("clearline_projection_late_total", projection="connection_tests") == 2
    assert await steps(owner) == ["resolve", "connect", "tls"]
    assert await owner.fetchval("select outcome from connection_tests") == "verified"


async def test_a_failure_has_both_halves(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    test_id = await add_test(owner)
    async with projecting(migrated) as projector:
        await projector.take(failed(test_id, outcome="cancelled", revision=None))
    [row] = await owner.fetch("select outcome, failure, operator_detail from connection_tests")
    assert (row["outcome"], row["failure"]["code"]) == ("cancelled", "AUTH_REJECTED")
    assert row["operator_detail"] == "for operators only"
    assert "operator_detail" not in row["failure"]


async def test_tests_and_verifications_do_not_touch_each_other(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    test_id, verification_id = await add_test(owner), await add_verification(owner, await add_connection(owner))
    async with projecting(migrated) as projector:
        await projector.take(
            progressed(test_id, 0, revision=None), progressed(verification_id, 0), verified(test_id, revision=None)
        )
        assert projector.count("clearline_projection_unknown_total", projection="verifications") == 0
    assert await owner.fetchval("select outcome from verifications") == "pending"
    assert list(await owner.fetchval("select steps from verifications")) == ["0"]
    assert await owner.fetchval("select outcome from connection_tests") == "verified"


async def test_facts_about_a_test_that_is_gone_are_late_and_not_unknown(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    async with projecting(migrated) as projector:
        await projector.take(verified(uuid4(), revision=None))
        assert projector.count("clearline_projection_unknown_total", projection="verifications") == 0
        assert projector.count("clearline_projection_late_total", projection="connection_tests") == 1
    assert await owner.fetchval("select not exists (select from connection_tests)")
