"""Steps that were rows of their own are a value of their verification afterwards, also of those that have ended."""

import asyncpg
import pytest
from services.gateway.tests.migrated import add_connection, add_test, add_verification, succeed
from tests.harness.database import Database

from gateway.migrate import migrate, migrations
from gateway.read_model.pools import speak_json

STEP = {"name": "resolve", "status": "passed", "duration_ms": 1.5, "evidence": {"a": 1}, "skipped_because": None}


async def test_no_step_is_lost_and_an_end_stays_an_end(database: Database) -> None:
    await migrate(database.dsn, [each for each in migrations() if each.version <= 10])
    owner = await asyncpg.connect(database.dsn)
    await speak_json(owner)
    ended, going, bare = [await add_verification(owner, await add_connection(owner)) for _ in range(3)]
    await succeed(owner, ended)
    test_id = await add_test(owner)
    write = "insert into verification_steps values ($1, 'development', $2, 'resolve', 'passed', 1.5, $3)"
    for verification_id, number in ((ended, 0), (ended, 10), (going, 2)):
        await owner.execute(write, verification_id, number, {"a": 1})
    await owner.execute(
        "insert into connection_test_steps values ($1, 1, 'resolve', 'passed', 1.5, $2)", test_id, {"a": 1}
    )
    await migrate(database.dsn)
    carried = {row["id"]: row["steps"] for row in await owner.fetch("select id, steps from verifications")}
    assert carried == {ended: {"0": STEP, "10": STEP}, going: {"2": STEP}, bare: {}}
    assert await owner.fetchval("select steps from connection_tests") == {"1": STEP}
    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute("update verifications set steps = '{}' where id = $1", ended)
    await owner.close()
