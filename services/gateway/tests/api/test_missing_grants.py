"""A grant or a table that is missing is a defect of ours: 500 at once, not 503 with advice to try again."""

import asyncpg
import pytest
from services.gateway.tests.api_stand import open_stand
from services.gateway.tests.migrated import MigratedDatabase

pytestmark = pytest.mark.integration

BREAKING = {
    "a grant": "revoke select on audit from clearline_viewer, clearline_operator, clearline_admin",
    "a table": "drop table audit cascade",
    "a column": "alter table audit rename column action to deed",
}


@pytest.mark.parametrize("missing", BREAKING)
async def test_what_is_missing_in_the_schema_is_our_defect(
    migrated: MigratedDatabase, owner: asyncpg.Connection, missing: str
) -> None:
    async with open_stand(migrated, owner) as stand:
        client = await stand.client_of("operator")
        assert (await client.get("/audit")).status_code == 200
        await owner.execute(BREAKING[missing])
        refused = await client.get("/audit")
        assert (refused.status_code, refused.json()["code"]) == (500, "UNEXPECTED"), refused.text
        assert refused.json()["retryable"] is False
        assert "retry-after" not in refused.headers
        assert (await client.get("/session")).status_code == 200
